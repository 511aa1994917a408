/* Checks of a description. The worker trusts none of this and checks again what touches its machine. */
#include "core/spec.h"

#include <string.h>

#include "core/entries.h"
#include "core/needs.h"
#include "core/parents.h"
#include "core/shape.h"
#include "proto/retry_word.h"

static const struct type_args {
        enum task_type type;
        size_t least, most;
} type_args[] = {
#define TASK_TYPE(name, number, word, least, most, what) { TASK_TYPE_##name, least, most },
#include "proto/task_types.def"
#undef TASK_TYPE
};

static int check_args(const struct rec_job_spec *spec, struct err *err)
{
        if (spec->has_edges) /* each task has its own, and its worker looks */
                return 0;
        for (size_t i = 0; i < ARRAY_LEN(type_args); i++) {
                const struct type_args *args = &type_args[i];

                if (args->type != spec->type)
                        continue;
                /* A script's name is its input; it needs no argument. */
                if ((spec->n_args < args->least && !spec->script) || spec->n_args > args->most)
                        return err_set(err, ERR_BAD_FIELD, "type %s: wrong number of arguments",
                                       task_type_word(spec->type));
                return 0;
        }
        return err_set(err, ERR_BAD_FIELD, "unknown task type");
}

static int check_env(const struct rec_job_spec *spec, struct err *err)
{
        for (size_t i = 0; i < spec->n_env; i++) {
                const char *equals = strchr(spec->env[i], '=');

                if (!equals || equals == spec->env[i])
                        return err_set(err, ERR_BAD_FIELD, "env: not of the form NAME=value");
                if (strncmp(spec->env[i], "JOB_", 4) == 0)
                        return err_set(err, ERR_BAD_FIELD,
                                       "env: names that begin with JOB_ are the system's");
                for (const char *p = spec->env[i]; p < equals; p++) {
                        bool letter = (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || *p == '_';

                        if (!letter && !(p > spec->env[i] && *p >= '0' && *p <= '9'))
                                return err_set(err, ERR_BAD_FIELD,
                                               "env: a name is not [A-Za-z_][A-Za-z0-9_]*");
                }
        }
        return 0;
}

bool spec_env_name(const char *name, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                bool letter = (name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= 'a' && name[i] <= 'z') ||
                              name[i] == '_';

                if (!letter && !(i > 0 && name[i] >= '0' && name[i] <= '9'))
                        return false;
        }
        return n > 0 && !(n >= 4 && memcmp(name, "JOB_", 4) == 0);
}

static int check_secrets(const struct rec_job_spec *spec, struct err *err)
{
        for (size_t i = 0; i < spec->n_secrets; i++) {
                const char *name = spec->secrets[i];
                size_t n = strlen(name);

                if (n > SECRET_NAME_MAX || !spec_env_name(name, n))
                        return err_set(err, ERR_BAD_FIELD, "secrets: a name is not [A-Za-z_][A-Za-z0-9_]*");
                for (size_t k = 0; k < i; k++)
                        if (strcmp(name, spec->secrets[k]) == 0)
                                return err_set(err, ERR_BAD_FIELD, "secrets: one is named twice");
                for (size_t k = 0; k < spec->n_env; k++)
                        if (strncmp(spec->env[k], name, n) == 0 && spec->env[k][n] == '=')
                                return err_set(err, ERR_BAD_FIELD,
                                               "secrets: %.64s is a variable of env as well", name);
        }
        return 0;
}

static int check_inputs(const struct rec_job_spec *spec, struct err *err)
{
        for (size_t i = 0; i < spec->n_inputs; i++) {
                const char *name = spec->inputs[i].name;

                if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                        return err_set(err, ERR_BAD_FIELD, "inputs: a name is one path element");
                for (size_t j = 0; j < i; j++) {
                        if (strcmp(name, spec->inputs[j].name) == 0)
                                return err_set(err, ERR_BAD_FIELD, "inputs: two have the same name");
                }
        }
        if (spec->script && spec->n_inputs == 0)
                return err_set(err, ERR_BAD_FIELD, "script: there is no input that could be it");
        if (spec->has_stdin_input &&
            (spec->stdin_input > spec->n_inputs || (spec->script && spec->stdin_input == 1)))
                return err_set(err, ERR_BAD_FIELD, "stdin_input: there is no such input");
        if (spec->script && spec->type != TASK_TYPE_COMMAND)
                return err_set(err, ERR_BAD_FIELD, "script: only commands have one");
        return 0;
}

static int check_texts(const struct rec_job_spec *spec, struct err *err)
{
        for (size_t i = 0; i < spec->n_tags; i++) {
                if (!strchr(spec->tags[i], '=') || spec->tags[i][0] == '=' || strlen(spec->tags[i]) > 512)
                        return err_set(err, ERR_BAD_FIELD,
                                       "tags: not of the form name=value, at most 512 bytes");
        }
        for (size_t i = 0; i < spec->n_ok_codes; i++) {
                if (spec->ok_codes[i] < 0 || spec->ok_codes[i] > 255)
                        return err_set(err, ERR_BAD_FIELD, "ok_codes: an exit code is 0 to 255");
        }
        if (spec->cwd && spec->cwd[0] != '/')
                return err_set(err, ERR_BAD_FIELD, "cwd: not absolute");
        return 0;
}

static int check_failure(const struct rec_job_spec *spec, struct err *err)
{
        for (size_t i = 0; i < spec->n_retry_on; i++) {
                if (!retry_word_is_valid(spec->retry_on[i]))
                        return err_set(
                                err, ERR_BAD_FIELD,
                                "retry_on: neither a code 1 to 255 nor a word such as signal, timeout, "
                                "oom, launch");
        }
        if (!spec->has_backoff_ms && (spec->has_backoff_factor || spec->has_backoff_max_ms))
                return err_set(err, ERR_BAD_FIELD, "backoff_factor and backoff_max_ms go with backoff_ms");
        if ((spec->has_at_us && spec->has_at_delay_ms) ||
            (spec->has_start_by_us && spec->has_start_by_delay_ms))
                return err_set(err, ERR_BAD_FIELD, "a time and a delay exclude each other");
        if ((spec->has_mem_factor || spec->has_mem_max) && (!spec->has_mem || !spec->has_mem_factor))
                return err_set(err, ERR_BAD_FIELD, "mem_factor goes with mem, and mem_max with both");
        if (spec->has_mem_max && spec->mem_max < spec->mem)
                return err_set(err, ERR_BAD_FIELD, "mem_max: less than mem");
        if (spec->has_max_fails && spec->has_max_fails_percent)
                return err_set(err, ERR_BAD_FIELD, "max_fails and max_fails_percent exclude each other");
        if (spec->has_warn_signal != spec->has_warn_ms || (spec->has_warn_signal && !spec->has_time_ms))
                return err_set(err, ERR_BAD_FIELD, "warn_signal, warn_ms and time_ms go together");
        return 0;
}

/* Letters, digits, . _ - : what a label's or a resource's name is made of. */
static size_t name_bytes(const char *text)
{
        return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
}

static int check_labels(const char *const *list, size_t n, const char *field, struct err *err)
{
        for (size_t i = 0; i < n; i++) {
                size_t name = name_bytes(list[i]);

                if (name == 0 || strlen(list[i]) > 255 || (list[i][name] != '\0' && list[i][name] != '=') ||
                    (list[i][name] == '=' && list[i][name + 1] == '\0'))
                        return err_set(err, ERR_BAD_FIELD, "%s: not of the form label or label=value", field);
        }
        return 0;
}

static int check_needs(const struct rec_job_spec *spec, struct err *err)
{
        for (size_t i = 0; i < spec->n_res; i++) {
                size_t name = name_bytes(spec->res[i]);
                struct amount amount = amount_of(spec->res[i]);
                const char *digits = spec->res[i] + name + 1;

                if (name == 0 || name > 64 || spec->res[i][name] != '=' || amount.n == 0 ||
                    amount.n > ID_MAX || strlen(digits) > 16 || digits[strspn(digits, "0123456789")] != '\0')
                        return err_set(err, ERR_BAD_FIELD, "res: not of the form name=number");
                for (size_t j = 0; j < i; j++) {
                        if (strncmp(spec->res[i], spec->res[j], name + 1) == 0)
                                return err_set(err, ERR_BAD_FIELD, "res: a name is there twice");
                }
        }
        if (check_labels(spec->require, spec->n_require, "require", err) < 0)
                return -1;
        return check_labels(spec->avoid, spec->n_avoid, "avoid", err);
}

/* Each shape is as sound as a description that says the same. */
static int check_shapes(const struct rec_job_spec *spec, struct err *err)
{
        if (spec->n_shapes > 0 && !spec->has_edges)
                return err_set(err, ERR_BAD_FIELD, "shapes: only of a job with edges");
        for (size_t i = 0; i < spec->n_shapes; i++) {
                struct rec_job_spec one;

                shape_merge(spec, &spec->shapes[i], &one);
                if (check_failure(&one, err) < 0 || check_needs(&one, err) < 0 || check_texts(&one, err) < 0)
                        return err_wrap(err, "shapes[%zu]", i);
        }
        return shape_check(spec, err);
}

int spec_check(const struct rec_job_spec *spec, struct err *err)
{
        if (spec->has_entries != spec->has_entries_per_chunk)
                return err_set(err, ERR_BAD_FIELD, "entries and entries_per_chunk go together");
        if (spec->has_entries && spec->n_array > 0)
                return err_set(err, ERR_BAD_FIELD, "entries and array exclude each other");
        if (spec->has_edges && !spec->has_entries)
                return err_set(err, ERR_BAD_FIELD, "edges: only between tasks that are entries");
        for (size_t i = 0; spec->has_edges && i < spec->n_after; i++) {
                if (spec->after[i].when == AFTER_WHEN_EACH)
                        return err_set(err, ERR_BAD_FIELD, "after: each is not for tasks that have edges");
        }
        for (size_t i = 0; spec->after_one && i < spec->n_after; i++) {
                if (spec->after[i].when == AFTER_WHEN_EACH)
                        return err_set(err, ERR_BAD_FIELD,
                                       "after_one: each element has one that it waits for");
        }
        if (spec->n_holds > 0 || spec->has_at_set)
                return err_set(err, ERR_BAD_FIELD, "holds, at_set: the coordinator's own notes");
        if (check_args(spec, err) < 0 || check_env(spec, err) < 0 || check_secrets(spec, err) < 0 ||
            check_inputs(spec, err) < 0 || check_failure(spec, err) < 0 || check_needs(spec, err) < 0 ||
            check_shapes(spec, err) < 0 || parents_check(spec, err) < 0)
                return -1;
        return check_texts(spec, err);
}

static uint64_t entry_chunks(const struct rec_job_spec *spec)
{
        return spec->has_entries ? (spec->entries + spec->entries_per_chunk - 1) / spec->entries_per_chunk
                                 : 0;
}

size_t spec_first_alike(const struct rec_job_spec *spec, size_t at)
{
        for (size_t i = 0; i < at; i++)
                if (spec->inputs[i].bytes == spec->inputs[at].bytes &&
                    strcmp(spec->inputs[i].sha256, spec->inputs[at].sha256) == 0)
                        return i;
        return at;
}

/* A content that an earlier input has travels once. */
static uint64_t input_chunks(const struct rec_job_spec *spec, size_t at)
{
        return spec_first_alike(spec, at) < at ? 0
                                               : (spec->inputs[at].bytes + MSG_CHUNK_MAX - 1) / MSG_CHUNK_MAX;
}

uint64_t spec_chunks(const struct rec_job_spec *spec)
{
        uint64_t n = entry_chunks(spec);

        for (size_t i = 0; i < spec->n_inputs; i++)
                n += input_chunks(spec, i);
        return n;
}

struct chunk_place spec_chunk(const struct rec_job_spec *spec, uint64_t no)
{
        uint64_t before = entry_chunks(spec);

        if (no < before)
                return (struct chunk_place){ .part = 0, .seq = (uint32_t)no };
        for (size_t i = 0; i < spec->n_inputs; i++) {
                uint64_t n = input_chunks(spec, i);

                if (no < before + n) {
                        uint64_t at = (no - before) * MSG_CHUNK_MAX;

                        return (struct chunk_place){
                                .part = (uint32_t)i + 1,
                                .seq = (uint32_t)(no - before),
                                .bytes = (size_t)MIN((uint64_t)MSG_CHUNK_MAX, spec->inputs[i].bytes - at),
                        };
                }
                before += n;
        }
        bug_at(__FILE__, __LINE__, "chunk beyond the last");
}

int spec_check_chunk(const struct rec_job_spec *spec, uint64_t no, const void *bytes, size_t n_bytes,
                     struct err *err)
{
        struct chunk_place place = spec_chunk(spec, no);

        if (place.part == 0)
                return entries_check(bytes, n_bytes, entries_in_chunk(spec, no), err);
        if (n_bytes != place.bytes)
                return err_set(err, ERR_BAD_FIELD, "chunk %u of input %u has the wrong size", place.seq,
                               place.part);
        return 0;
}
