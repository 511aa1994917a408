/* The store against a real MariaDB: what each operation writes, and that a transaction happens once or not at all. */
#include "tests/contract/scene.h"

#define NOOP "{\"type\":\"noop\",\"name\":\"n\"}"

static void a_job_is_written_sealed_and_its_tasks_are_made(void)
{
        struct scene s = scene_opened();
        struct store_batch batch = { 0 };

        add_job(&batch, 7, ALICE, 40,
                "{\"type\":\"command\",\"name\":\"secret-name\",\"args\":[\"secret-arg\"],"
                "\"tags\":[\"k=secret-tag\"],\"comment\":\"secret-comment\",\"priority\":-3}");
        add_tasks(&batch, 7, ALICE, 1, 1, 40);
        CU_ASSERT_TRUE(commit(&s, &batch));
        CU_ASSERT_EQUAL(sql_int(s.sql, "SELECT COUNT(*) FROM Jobs WHERE job_id=7 AND owner=1 AND priority=-3 "
                                       "AND queue='default'"),
                        1);
        CU_ASSERT_EQUAL(sql_int(s.sql, "SELECT COUNT(*) FROM Tasks WHERE job_id=7 AND status=3 AND owner=1"),
                        40);
        CU_ASSERT_EQUAL(sql_int(s.sql, "SELECT COUNT(*) FROM Submissions WHERE owner=1 AND job_id=7"), 1);
        CU_ASSERT_EQUAL(sql_int(s.sql, "SELECT COUNT(*) FROM JobTags WHERE job_id=7"), 1);
        CU_ASSERT_EQUAL(sql_int(s.sql, "SELECT COUNT(*) FROM Jobs, JobTags WHERE LOCATE('secret', "
                                       "CONCAT(name, comment, spec, tag)) > 0"),
                        0);
        scene_done(&s);
}

UNIT_MAIN("store", TEST(a_job_is_written_sealed_and_its_tasks_are_made), )
