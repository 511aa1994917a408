/* What jobsubmit makes of its command line: one job, ready to send. */
#ifndef CLI_SUBMIT_H
#define CLI_SUBMIT_H

#include "cli/cli.h"
#include "cli/entry_list.h"
#include "cli/json_options.h"

extern const struct opt_program submit_program;

#define SUBMIT_SCRIPT_MAX ((uint64_t)64 << 20) /* a script that is larger is no script */

struct submit_input {
        char *path; /* read again while it is sent */
        char *name;
        uint64_t bytes;
        char sha256[65];
        unsigned mode;
        bool is_script;
};

/* A growing list of texts; owns them unless they are borrowed from the command line. */
struct texts {
        const char **list;
        size_t n, cap;
};

struct submit_shapes; /* submit_shape.c */

struct submit {
        struct cli *cli;
        const struct opts *opts;
        size_t n_script_values; /* of opts->values: from #JOB lines; what follows is the command line's */
        bool is_script; /* the first word is a script */
        struct rec_job_spec spec; /* points into what follows */
        char *key;
        bool watch; /* somebody waits for its end, and for nothing else */
        struct texts args, env, tags, outs, retry_on, res, require, avoid, secrets;
        int stdin_fd; /* a copy of our stdin; 0: none */
        struct entry_list entries; /* n 0: none */
        char entries_sha256[DIGEST_HEX_BYTES + 1];
        struct submit_input *inputs;
        struct rec_input *input_recs;
        size_t n_inputs, cap_inputs;
        struct rec_array_part *array;
        struct rec_after *after;
        size_t n_after, cap_after;
        int64_t *ok_codes;
        struct submit_shapes *shapes; /* NULL: all tasks ask for the same */
        struct rec_shape *shape_recs;
        char *name, *cwd;
        struct buf owned; /* pointers of texts that were made here, freed at the end */
};
#define SUBMIT_EMPTY                                                                                         \
        {                                                                                                    \
                .entries = ENTRY_LIST_EMPTY                                                                  \
        }

/* Fill *submit from parsed options and words; reads the files that they name, connects only to find out what
 * `--after last` means. Everything is checked: what is sent is within the limits of messages.def. */
int submit_build(struct submit *submit, struct err *err) MUST_CHECK;
void submit_done(struct submit *submit);

/* Parts of submit_build. The job depends on that one, too: */
int submit_add_after(struct submit *submit, enum after_when when, uint64_t job, struct err *err) MUST_CHECK;
int submit_stdin_from(struct submit *submit, struct err *err) MUST_CHECK; /* part of submit_options */
int submit_options(struct submit *submit, struct err *err) MUST_CHECK; /* submit_options.c */
int submit_failure(struct submit *submit, struct err *err) MUST_CHECK; /* submit_failure.c */
opt_parse_fn submit_parse_retry_on, submit_parse_backoff, submit_parse_max_fails, submit_parse_warn,
        submit_parse_mem;
int submit_times(struct submit *submit, struct err *err) MUST_CHECK; /* submit_times.c */
opt_parse_fn submit_parse_when;
int submit_words(struct submit *submit, struct err *err) MUST_CHECK; /* submit_words.c */
int submit_environment(struct submit *submit, struct err *err) MUST_CHECK; /* submit_env.c */
int submit_graph(struct submit *submit, struct err *err) MUST_CHECK; /* submit_graph.c: --file */
/* submit_workflow.c: is this (as read by json_scan) an instance in WfFormat? 0: no. As the text of a graph file: tasks sleep
 * as long as they ran, times `scale` (NULL: they run the recorded commands). *ret_where: the path of its tasks. */
size_t submit_workflow_find(const char *text, const struct json_token *list);
int submit_workflow(const char *text, const struct json_token *list, const char *scale, struct buf *out,
                    const char **ret_where, struct err *err) MUST_CHECK;
opt_parse_fn submit_parse_scale;
/* submit_shape.c: task `index` (ascending) asks for what this description says; nothing happens if the job's says so. */
int submit_add_shape(struct submit *submit, uint64_t index, const struct rec_job_spec *asks,
                     struct err *err) MUST_CHECK;
/* What a task of a graph says for itself, as its own description (PROTOCOL.md, Entries). */
void submit_encode_own(const struct rec_job_spec *task, const struct rec_job_spec *job, uint32_t stdin_from,
                       struct buf *json);
void submit_end_shapes(struct submit *submit); /* puts them into submit->spec */
void submit_shapes_done(struct submit *submit);
void submit_describe_entries(struct submit *submit);
int submit_inputs(struct submit *submit, struct err *err) MUST_CHECK; /* submit_input.c */
/* submit_sql.c: the entries of --each-sql, and their origin. */
int submit_sql(struct submit *submit, const char *query, struct err *err) MUST_CHECK;
int submit_add_input(struct submit *submit, const char *path, const char *name, bool is_script,
                     struct err *err) MUST_CHECK;
bool submit_is_env_name(const char *name, size_t n); /* may a task's variable be called so */
void texts_add(struct texts *texts, const char *text);
const char *submit_own(struct submit *submit, char *take_text); /* freed with submit */
/* The word is a script (INTERFACE section 2): it names a readable text file that begins with #! and has a / or ends in
 * .sh. */
bool submit_is_script(const char *word);
#define SCRIPT_WORDS_MAX 256
int submit_read_head(const char *path, struct buf *text, struct err *err) MUST_CHECK;
/* Split as a shell does, without expanding anything; the words lie in the line itself. How many, or -1. */
int submit_split_words(char *line, char *words[SCRIPT_WORDS_MAX], struct err *err) MUST_CHECK;
/* submit_slurm.c: --compat slurm. The #SBATCH lines of a script (path NULL: none) and what Slurm does by itself, as
 * options, whose values point into *script. */
struct slurm_script {
        struct json_texts texts;
        struct buf ignored; /* a line for each option that has no counterpart */
        bool has_time; /* the command line has a --time */
};
int submit_slurm_options(const char *path, struct opts *opts, struct slurm_script *script,
                         struct err *err) MUST_CHECK;
/* A queue that a #SBATCH line names and that is not there is not made: asks (not with --dry-run), says so, and takes the
 * default one. *texts: those of the script. */
int submit_slurm_partition(struct cli *cli, struct opts *opts, struct json_texts *texts,
                           struct err *err) MUST_CHECK;
int slurm_time(const char *text, uint64_t *ret_s, struct err *err) MUST_CHECK; /* as Slurm writes it */
/* Parse the #JOB lines in the comments at the script's head into *opts, whose values then point into *text. Errors
 * name the line. *ret_late: number of a line with #JOB behind the first command, where it does not count; 0: none. */
int submit_script_options(const char *path, struct opts *opts, struct buf *text, size_t *ret_late,
                          struct err *err) MUST_CHECK;

/* submit_send.c: the answer. On an error after something was sent, *ret_unsure says that the job may exist. */
struct submitted {
        uint64_t job, tasks;
        bool existing, watched; /* watched: this connection will be told of its end, as asked */
        bool has_suitable;
        uint64_t suitable_workers;
        char lack[641]; /* with none: what those that are there lack */
};
/* set: the jobs that it belongs to, which live together later; NULL: none, and submit->watch counts. */
int submit_send(struct submit *submit, const char *set, struct submitted *ret_submitted, bool *ret_unsure,
                struct err *err) MUST_CHECK;
/* For several jobs in one message: may this one ride whole, and its record and chunks. ret_job->chunks is the caller's. */
uint64_t submit_total_bytes(const struct submit *submit); /* of its chunks */
bool submit_fits(struct submit *submit, size_t room);
int submit_pack(struct submit *submit, struct rec_new_job *ret_job, struct buf *body,
                struct err *err) MUST_CHECK;
int submit_take_answer(const struct msg *answer, size_t n, struct submitted *ret, struct err *err) MUST_CHECK;
int submit_key(char **key, struct err *err) MUST_CHECK; /* made up if it is NULL */

/* submit_from.c: --from, the whole command. Returns the exit code. */
int submit_from(struct cli *cli, const struct opts *opts);

/* submit_show.c: --dry-run. */
int submit_show(struct submit *submit, struct err *err) MUST_CHECK;

#endif
