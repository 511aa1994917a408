/* --dry-run: the job as it would be submitted, and its first commands as the tasks would run them. */
#include <string.h>

#include "base/escape.h"
#include "base/xalloc.h"
#include "cli/replace.h"
#include "cli/submit.h"
#include "crypt/envelope.h"
#include "proto/array_text.h"
#include "proto/json_scan.h"

#define SHOWN_COMMANDS 5

struct task { /* one of the first tasks */
        uint64_t index;
        const char *values[ENTRY_VALUES_MAX];
        size_t n_values;
};

static uint64_t task_count(const struct submit *submit)
{
        uint64_t n = 0;

        if (submit->entries.n)
                return submit->entries.n;
        for (size_t i = 0; i < submit->spec.n_array; i++)
                n += array_part_tasks(&submit->spec.array[i]);
        return n ? n : 1;
}

static uint64_t array_index(const struct submit *submit, uint64_t position)
{
        for (size_t i = 0; i < submit->spec.n_array; i++) {
                const struct rec_array_part *part = &submit->spec.array[i];

                if (position < array_part_tasks(part))
                        return part->lo + position * array_part_step(part);
                position -= array_part_tasks(part);
        }
        return position + 1;
}

/* Entry k of the chunk, split at its NULs; `text` keeps a copy with a NUL at the end. */
static void entry_values(const struct buf *chunk, uint64_t k, struct task *task, struct buf *text)
{
        const char *entry;
        size_t n, at = 0;

        if (entry_find(chunk->bytes, chunk->n, k, &entry, &n) < 0)
                return;
        buf_clear(text);
        buf_add(text, entry, n);
        buf_add_char(text, '\0');
        while (at < text->n && task->n_values < ENTRY_VALUES_MAX) {
                task->values[task->n_values++] = text->bytes + at;
                at += strlen(text->bytes + at) + 1;
        }
}

static void add_args(const struct submit *submit, const struct task *task, bool json, struct buf *out)
{
        const struct rec_job_spec *spec = &submit->spec;
        const struct replace replace = {
                .values = task->n_values ? task->values : NULL,
                .n_values = task->n_values,
                .columns = spec->columns,
                .n_columns = spec->n_columns,
                .index = task->index,
        };
        bool replaces = !spec->no_replace && (spec->is_array || submit->entries.n);

        if (spec->script)
                (json ? buf_add_json_str(out, submit->inputs[0].name, strlen(submit->inputs[0].name))
                      : escape_add_shell(out, submit->inputs[0].name));
        for (size_t i = 0; i < spec->n_args; i++) {
                CLEANUP_BUF struct buf arg = { 0 };

                if (replaces)
                        replace_add(&replace, spec->args[i], &arg);
                else
                        buf_add_str(&arg, spec->args[i]);
                if (i || spec->script)
                        buf_add_char(out, json ? ',' : ' ');
                if (json)
                        buf_add_json_str(out, arg.n ? arg.bytes : "", arg.n);
                else
                        escape_add_shell(out, arg.n ? arg.bytes : "");
        }
}

/* A task of a graph says itself what it runs. */
static void add_own_args(const struct task *task, bool json, struct buf *out)
{
        CLEANUP_WITH(job_spec_free) struct job_spec_box *own = NULL;
        struct submit one = { 0 };
        struct task named = *task;

        if (task->n_values == 3 && task->values[2][0] == 1)
                own = job_spec_decode(task->values[2] + 1, strlen(task->values[2] + 1), NULL);
        if (!own)
                return;
        named.n_values = 1;
        one.spec = own->spec;
        one.entries.n = 1;
        add_args(&one, &named, json, out);
}

static int add_commands(struct submit *submit, bool json, struct buf *out, struct err *err)
{
        uint64_t n = MIN(task_count(submit), (uint64_t)SHOWN_COMMANDS);
        CLEANUP_BUF struct buf chunk = { 0 };
        CLEANUP_BUF struct buf text = { 0 };

        if (submit->entries.n && entry_list_read_chunk(&submit->entries, n, &chunk, err) < 0)
                return -1;
        for (uint64_t k = 0; k < n; k++) {
                struct task task = { .index = array_index(submit, k) };

                if (submit->entries.n)
                        entry_values(&chunk, k, &task, &text);
                if (json)
                        buf_add_str(out, k ? ",[" : "[");
                else
                        buf_addf(out, "%8llu  ", (unsigned long long)task.index);
                if (submit->spec.has_edges)
                        add_own_args(&task, json, out);
                else
                        add_args(submit, &task, json, out);
                buf_add_char(out, json ? ']' : '\n');
        }
        return 0;
}

/* The description as lines "field  value"; what a message would carry, nothing else. */
static int add_fields(const struct buf *spec, struct buf *out, struct err *err)
{
        struct json_tokens tokens = { 0 };
        const struct json_token *list;

        if (json_scan(spec->bytes, spec->n, MSG_DEPTH_MAX, &tokens, err) < 0) {
                json_tokens_done(&tokens);
                return -1;
        }
        list = tokens.list;
        for (size_t at = 1; at < list[0].next; at = json_next(list, at + 1)) {
                const struct json_token *key = &list[at], *value = &list[at + 1];

                buf_addf(out, "%-18.*s", (int)(key->end - key->at), spec->bytes + key->at);
                escape_add_text(out, spec->bytes + value->at, value->end - value->at);
                buf_add_char(out, '\n');
        }
        json_tokens_done(&tokens);
        return 0;
}

int submit_show(struct submit *submit, struct err *err)
{
        CLEANUP_BUF struct buf spec = { 0 };
        CLEANUP_BUF struct buf out = { 0 };
        bool json = submit->cli->form == CLI_FORM_JSON;
        unsigned long long tasks = task_count(submit);

        job_spec_encode(&submit->spec, &spec);
        if (json) {
                buf_addf(&out,
                         "{\"schema\":\"jobsubmit/1\",\"dry_run\":true,\"tasks\":%llu,\"spec\":", tasks);
                buf_add(&out, spec.bytes, spec.n);
                buf_add_str(&out, ",\"commands\":[");
        } else {
                buf_addf(&out, "%-18s%llu\n", "tasks", tasks);
                if (add_fields(&spec, &out, err) < 0)
                        return -1;
                buf_add_str(&out, tasks > SHOWN_COMMANDS ? "first commands:\n" : "commands:\n");
        }
        if (add_commands(submit, json, &out, err) < 0)
                return -1;
        if (json)
                buf_add_str(&out, "]}\n");
        return cli_write(out.bytes, out.n, err);
}
