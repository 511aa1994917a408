/* One CUnit program a file: UNIT_MAIN("name", TEST(sentence), …). Test functions are static and named by the sentence
 * that they prove. Prints CUnit's summary; exit status 1 if anything failed. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <CUnit/Basic.h>
#include <stdlib.h>

struct unit_test {
        const char *name;
        CU_TestFunc run;
};
/* clang-format off */
#define TEST(function) { #function, function }
/* clang-format on */

#define UNIT_MAIN(suite_name, ...)                                                                           \
        int main(void)                                                                                       \
        {                                                                                                    \
                static const struct unit_test tests[] = { __VA_ARGS__ };                                     \
                CU_pSuite suite;                                                                             \
                unsigned failed;                                                                             \
                                                                                                             \
                if (CU_initialize_registry() != CUE_SUCCESS)                                                 \
                        return 2;                                                                            \
                suite = CU_add_suite(suite_name, NULL, NULL);                                                \
                for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                                \
                        CU_add_test(suite, tests[i].name, tests[i].run);                                     \
                CU_basic_set_mode(CU_BRM_NORMAL);                                                            \
                CU_basic_run_tests();                                                                        \
                failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();                     \
                CU_cleanup_registry();                                                                       \
                return failed ? 1 : 0;                                                                       \
        }

#endif
