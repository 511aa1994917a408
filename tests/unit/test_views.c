/* The words and numbers in sql/views against the .def files they come from: what can drift is compared. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "adapters/sql_files.h"
#include "base/buf.h"
#include "base/xalloc.h"
#include "crypt/envelope.h"
#include "proto/words.h"
#include "tests/unit/unit.h"

#define VIEWS "views/"

static const char *view_text(const char *name)
{
        for (const struct sql_file *file = sql_files; file->name; file++)
                if (!strncmp(file->name, VIEWS, strlen(VIEWS)) && !strcmp(file->name + strlen(VIEWS), name))
                        return file->text;
        CU_FAIL_FATAL("no such view");
        return "";
}

static void add_word(struct buf *list, int number, const char *word)
{
        static const char comma[] = ", ";
        int words = 0;

        for (size_t i = 0; i < list->n; i++)
                words += list->bytes[i] == '\'';
        CU_ASSERT_EQUAL(number, words / 2 + 1); /* ELT counts from 1, without gaps */
        buf_addf(list, "%s'%s'", list->n ? comma : "", word);
}

static struct buf status_list(void)
{
        struct buf list = { 0 };
#define TASK_STATUS(name, number, word, is_final) add_word(&list, number, word);
#include "proto/task_status.def"
#undef TASK_STATUS
        return list;
}

static struct buf reason_list(void)
{
        struct buf list = { 0 };
#define TASK_REASON(name, number, word, meaning)                                                             \
        if (number > 0) /* NONE shows as NULL */                                                             \
                add_word(&list, number, word);
#include "proto/task_reason.def"
#undef TASK_REASON
        return list;
}

static struct buf type_list(void)
{
        struct buf list = { 0 };
#define TASK_TYPE(name, number, word, least, most, what) add_word(&list, number, word);
#include "proto/task_types.def"
#undef TASK_TYPE
        return list;
}

static struct buf stream_list(void)
{
        struct buf list = { 0 };

        add_word(&list, STREAM_STDOUT, stream_word(STREAM_STDOUT));
        add_word(&list, STREAM_STDERR, stream_word(STREAM_STDERR));
        return list;
}

/* The quoted words of the ELT whose name stands at `at`, as `'a', 'b'`; they follow the number, at depth one. */
static struct buf elt_list(const char *at)
{
        struct buf list = { 0 };
        int depth = 0;

        for (at = strchr(at, '('); *at; at++) {
                depth += *at == '(';
                depth -= *at == ')';
                if (depth == 0)
                        break;
                if (depth == 1 && *at == '\'') {
                        const char *end = strchr(at + 1, '\'');

                        if (list.n)
                                buf_add_str(&list, ", ");
                        buf_add(&list, at, (size_t)(end + 1 - at));
                        at = end;
                }
        }
        return list;
}

static void every_list_of_words_is_that_of_its_def(void)
{
        struct buf known[] = { status_list(), reason_list(), type_list(), stream_list() };
        unsigned seen[5] = { 0 };

        for (const struct sql_file *file = sql_files; file->name; file++) {
                if (strncmp(file->name, VIEWS, strlen(VIEWS)) != 0)
                        continue;
                for (const char *at = file->text; (at = strstr(at, "ELT(")); at++) {
                        CLEANUP_BUF struct buf list = elt_list(at);
                        size_t i = 0;

                        while (i < ARRAY_LEN(known) && strcmp(list.bytes, known[i].bytes) != 0)
                                i++;
                        if (i == ARRAY_LEN(known) &&
                            strcmp(list.bytes, "'connected', 'draining', 'lost', 'gone'") != 0) {
                                CU_FAIL("a list of words that is in no .def file");
                                fprintf(stderr, "%s: %s\n", file->name, list.bytes);
                        }
                        seen[i]++;
                }
        }
        for (size_t i = 0; i < ARRAY_LEN(seen); i++)
                CU_ASSERT(seen[i] > 0);
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
                buf_done(&known[i]);
}

/* `before` with that number behind it stands in that view. */
static void says(const char *view, const char *before, int number)
{
        const char *after =
                strchr(before, '(') && !strchr(before, ')') ? "," : ""; /* so that 1 is not found in 11 */
        CLEANUP_WITH(xfree) char *text = xasprintf("%s%d%s", before, number, after);

        if (!strstr(view_text(view), text)) {
                CU_FAIL("a number that has moved");
                fprintf(stderr, "%s: no `%s`\n", view, text);
        }
}

static void numbers_of_kinds_and_states_are_those_of_the_defs(void)
{
        says("v_jobs.sql", "unseal(", SEAL_JOB_NAME);
        says("v_jobs.sql", "unseal(", SEAL_JOB_COMMENT);
        says("v_tasks.sql", "unseal(", SEAL_JOB_NAME);
        says("v_tasks.sql", "unseal_entry(", SEAL_JOB_CHUNK);
        says("v_results.sql", "unseal_entry(", SEAL_JOB_CHUNK);
        says("v_results.sql", "unseal(", SEAL_RESULT);
        says("v_results.sql", "d.kind = ", DATA_KIND_RESULT);
        says("v_output.sql", "unseal(", SEAL_OUTPUT);
        says("v_output.sql", "d.kind = ", DATA_KIND_OUTPUT);
        says("v_data.sql", "unseal(", SEAL_FILE_NAME);
        says("v_events.sql", "unseal(", SEAL_EVENT_DETAIL);
        says("v_tasks.sql", "CASE WHEN t.status NOT IN (", TASK_STATUS_WAITING);
        says("v_tasks.sql", "j.hold) = 1 THEN ", TASK_STATUS_HELD);
        says("v_tasks.sql", "j.queued) = 0 THEN ", TASK_STATUS_WAITING);
        says("v_why.sql", "scoped(q.s, t.owner, t.status) = ", TASK_STATUS_WAITING);
        /* Where no program was started there is no exit code. */
        says("v_tasks.sql", "t.reason NOT BETWEEN ", TASK_REASON_NOT_FOUND);
        says("v_tasks.sql", "t.reason NOT BETWEEN 5 AND ", TASK_REASON_LAUNCH);
        says("v_attempts.sql", "a.reason NOT BETWEEN 5 AND ", TASK_REASON_LAUNCH);
}

static void status_five_and_above_is_final(void)
{
        static const char *const views[] = { "v_tasks.sql", "v_attempts.sql" };

        for (size_t i = 0; i < ARRAY_LEN(views); i++)
                says(views[i], ".status >= ", TASK_STATUS_SUCCEEDED);
#define TASK_STATUS(name, number, word, is_final)                                                            \
        CU_ASSERT_EQUAL((number) >= TASK_STATUS_SUCCEEDED, is_final);
#include "proto/task_status.def"
#undef TASK_STATUS
}

/* An unguarded column of Tasks, Jobs, Data … in a select list would be there for everybody's predicates. */
static void every_column_but_ids_is_guarded(void)
{
        static const char *const ids[] = { "job_id AS job_id", "task_index AS task_index",
                                           "event_id AS event_id" };
        static const char *const guarded[] = { "v_jobs.sql",    "v_tasks.sql",  "v_attempts.sql",
                                               "v_results.sql", "v_output.sql", "v_data.sql" };

        for (size_t i = 0; i < ARRAY_LEN(guarded); i++) {
                const char *text = view_text(guarded[i]);

                for (const char *at = text; (at = strstr(at, ".")); at++) {
                        const char *name = at + 1;
                        bool begins_item = at > text + 3 && at[-2] == ' ' &&
                                           (at[-3] == ' ' || !strncmp(at - 8, "SELECT", 6));
                        bool is_id = false;

                        for (size_t k = 0; k < ARRAY_LEN(ids); k++)
                                is_id = is_id || !strncmp(name, ids[k], strlen(ids[k]));
                        if (begins_item && !is_id) {
                                CU_FAIL("a column that is shown without a guard");
                                fprintf(stderr, "%s: %.40s\n", guarded[i], at - 1);
                        }
                }
        }
}

UNIT_MAIN("views", TEST(every_list_of_words_is_that_of_its_def),
          TEST(numbers_of_kinds_and_states_are_those_of_the_defs), TEST(status_five_and_above_is_final),
          TEST(every_column_but_ids_is_guarded))
