/* A graph file: one job, a task for each element of "tasks", numbered from 1 in their order. Each becomes an entry of three
 * values (PROTOCOL.md): its name, its parents, its own description. Everything is checked before anything is sent: a name
 * that is not there, one that is there twice, tasks that wait for each other in a circle. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/json_options.h"
#include "cli/submit.h"

#define FILE_BYTES_MAX ((size_t)1 << 30)
#define TOKENS_MAX ((size_t)40000000) /* a million tasks with five million edges */
#define DEPTH_MAX 16
#define NAME_BYTES_MAX 255

struct node {
        char *name;
        uint32_t no; /* from 0 */
        size_t token;
        uint32_t stdin_from; /* number of the parent, from 1; 0: none */
};
struct edge {
        uint32_t parent;
        char when; /* 'a', 'n' or 0 */
};
struct graph {
        struct submit *submit;
        struct buf text;
        struct json_tokens tokens;
        size_t top, tasks, defaults; /* tokens; defaults 0: none */
        const char *where; /* the path of its tasks, for messages */
        struct node *nodes; /* in the order of the file */
        struct node **sorted; /* by name */
        size_t n;
        size_t *first; /* edges of node k: first[k] … first[k + 1] */
        struct edge *edges;
        size_t n_edges, cap_edges;
        const char **job_keys; /* keys of the defaults that are not each task's; ends with NULL */
};

static const char *const default_keys[] = { "command", NULL };
static const char *const top_keys[] = { "name", "defaults", "tasks", NULL };
static const char *const task_keys[] = { "name", "after", "stdin_from", "command", NULL };
/* What each task may say for itself, by its own description or by its shape; everything else is the job's. */
static const char *const own_options[] = { "type",     "env",      "cwd", "time",    "grace", "cpus",
                                           "mem",      "gpus",     "res", "require", "avoid", "retries",
                                           "retry-on", "ok-codes", "out", "out-max", "warn",  NULL };
/* What makes tasks elsewhere: a graph has its own. */
static const char *const sources[] = { "array", "each-line", "each-csv", "each-json", "each-sql", NULL };

static void graph_done(struct graph *graph)
{
        for (size_t i = 0; i < graph->n; i++)
                xfree(graph->nodes[i].name);
        for (size_t i = 0; graph->job_keys && graph->job_keys[i]; i++)
                xfree((char *)(uintptr_t)graph->job_keys[i]);
        xfree(graph->job_keys);
        xfree(graph->nodes);
        xfree(graph->sorted);
        xfree(graph->first);
        xfree(graph->edges);
        json_tokens_done(&graph->tokens);
        buf_done(&graph->text);
}

static int read_file(const char *path, struct buf *text, struct err *err)
{
        bool is_stdin = strcmp(path, "-") == 0;
        FILE *file = is_stdin ? stdin : fopen(path, "re");
        size_t n;

        if (!file)
                return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_BAD_DATA, "--file: %s: %s", path,
                               strerror(errno));
        do {
                buf_reserve(text, 65536);
                n = fread(text->bytes + text->n, 1, 65536, file);
                text->n += n;
        } while (n > 0 && text->n <= FILE_BYTES_MAX);
        if (!is_stdin)
                fclose(file);
        if (text->n > FILE_BYTES_MAX)
                return err_set(err, ERR_BAD_DATA, "--file: %s has more than 1 GiB", path);
        return 0;
}

static struct json_object object_at(const struct graph *graph, size_t at, const char *path,
                                    const char *const *own)
{
        return (struct json_object){
                .text = graph->text.bytes, .list = graph->tokens.list, .at = at, .path = path, .own = own
        };
}

static char *text_of(const struct graph *graph, size_t at)
{
        const struct json_token *token = &graph->tokens.list[at];
        char *text = xmalloc(token->end - token->at + 1);

        text[json_unescape(graph->text.bytes, token, text)] = '\0';
        return text;
}

static bool is_key(const char *const *keys, const char *key, size_t n)
{
        for (; *keys; keys++)
                if (strlen(*keys) == n && memcmp(*keys, key, n) == 0)
                        return true;
        return false;
}

/* A key is the option's name with _ for -. */
static bool is_own_option(const char *key, size_t n)
{
        char name[65] = { 0 };

        for (size_t i = 0; i < n && i < 64; i++)
                name[i] = key[i] == '_' ? '-' : key[i];
        return n <= 64 && is_key(own_options, name, n);
}

/* Keys of the defaults that a task's own description leaves out: they were checked when the job's was made. */
static void list_job_keys(struct graph *graph)
{
        const struct json_token *list = graph->tokens.list;
        size_t n = 0;

        graph->job_keys =
                xcalloc((graph->defaults ? list[graph->defaults].n : 0) + 2, sizeof(*graph->job_keys));
        graph->job_keys[n++] = xstrdup("command");
        for (size_t at = graph->defaults + 1; graph->defaults && at < list[graph->defaults].next;
             at = json_next(list, at + 1)) {
                char *key = xstrndup(graph->text.bytes + list[at].at, list[at].end - list[at].at);

                if (is_own_option(key, strlen(key)))
                        xfree(key);
                else
                        graph->job_keys[n++] = key;
        }
}

/* --- the parts of the file -------------------------------------------------------------------------------------- */
static int find_parts(struct graph *graph, struct err *err)
{
        const struct json_token *list = graph->tokens.list;
        struct json_object top = object_at(graph, 0, "graph", top_keys);

        if (list[0].kind != JSON_KIND_OBJECT)
                return err_set(err, ERR_BAD_DATA, "a graph is an object: {\"tasks\": [ … ]}");
        for (size_t at = 1; at < list[0].next; at = json_next(list, at + 1)) {
                const char *key = graph->text.bytes + list[at].at;
                size_t n = list[at].end - list[at].at;

                if (!is_key(top_keys, key, n))
                        return err_set(
                                err, ERR_BAD_DATA,
                                "unknown key \"%.*s\"; a graph has name, defaults and tasks, and options "
                                "for all tasks stand in defaults",
                                (int)MIN(n, (size_t)80), key);
        }
        graph->tasks = json_object_find(&top, "tasks");
        graph->defaults = json_object_find(&top, "defaults");
        if (!graph->tasks || list[graph->tasks].kind != JSON_KIND_ARRAY || list[graph->tasks].n == 0)
                return err_set(err, ERR_BAD_DATA, "tasks: a list of at least one task is wanted");
        if (graph->defaults && list[graph->defaults].kind != JSON_KIND_OBJECT)
                return err_set(err, ERR_BAD_DATA, "defaults: an object of options is wanted");
        return 0;
}

static int by_name(const void *a, const void *b)
{
        return strcmp((*(struct node *const *)a)->name, (*(struct node *const *)b)->name);
}

static int read_names(struct graph *graph, struct err *err)
{
        const struct json_token *list = graph->tokens.list;

        graph->nodes = xcalloc(list[graph->tasks].n, sizeof(*graph->nodes));
        graph->sorted = xcalloc(list[graph->tasks].n, sizeof(*graph->sorted));
        for (size_t at = graph->tasks + 1; at < list[graph->tasks].next; at = json_next(list, at)) {
                struct node *node = &graph->nodes[graph->n];
                struct json_object task = object_at(graph, at, "", task_keys);
                size_t name;

                if (list[at].kind != JSON_KIND_OBJECT)
                        return err_set(err, ERR_BAD_DATA, "tasks[%zu]: an object is wanted", graph->n);
                name = json_object_find(&task, "name");
                if (!name || list[name].kind != JSON_KIND_STRING || list[name].at == list[name].end ||
                    list[name].end - list[name].at > NAME_BYTES_MAX)
                        return err_set(err, ERR_BAD_DATA,
                                       "tasks[%zu]: name: a string of 1 to %d bytes is wanted", graph->n,
                                       NAME_BYTES_MAX);
                *node = (struct node){ .name = text_of(graph, name), .no = (uint32_t)graph->n, .token = at };
                graph->sorted[graph->n++] = node;
        }
        qsort(graph->sorted, graph->n, sizeof(*graph->sorted), by_name);
        for (size_t i = 1; i < graph->n; i++)
                if (strcmp(graph->sorted[i - 1]->name, graph->sorted[i]->name) == 0)
                        return err_set(
                                err, ERR_BAD_DATA, "tasks[%u] and tasks[%u] have the same name \"%.80s\"",
                                MIN(graph->sorted[i - 1]->no, graph->sorted[i]->no),
                                MAX(graph->sorted[i - 1]->no, graph->sorted[i]->no), graph->sorted[i]->name);
        return 0;
}

/* --- edges ------------------------------------------------------------------------------------------------------ */
static const struct node *find_node(const struct graph *graph, const char *name)
{
        struct node key = { .name = (char *)(uintptr_t)name };
        struct node *wanted = &key;
        struct node **found = bsearch(&wanted, graph->sorted, graph->n, sizeof(*graph->sorted), by_name);

        return found ? *found : NULL;
}

/* "b", "ok:b", "any:b", "notok:b"; a task whose name begins so is found by its whole name. */
static int add_edge(struct graph *graph, const struct node *child, const char *text, struct err *err)
{
        static const struct {
                const char *word;
                char when;
        } words[] = { { "ok:", 0 }, { "any:", 'a' }, { "notok:", 'n' } };
        const struct node *parent = find_node(graph, text);
        char when = 0;

        for (size_t i = 0; i < ARRAY_LEN(words) && !parent; i++) {
                if (strncmp(text, words[i].word, strlen(words[i].word)) != 0)
                        continue;
                parent = find_node(graph, text + strlen(words[i].word));
                when = words[i].when;
        }
        if (!parent)
                return err_set(err, ERR_BAD_DATA, "tasks[%u] (%.80s): after: there is no task \"%.80s\"",
                               child->no, child->name, text);
        GROW(graph->edges, graph->cap_edges, graph->n_edges + 1);
        graph->edges[graph->n_edges++] = (struct edge){ .parent = parent->no, .when = when };
        return 0;
}

static int read_after(struct graph *graph, const struct node *node, size_t at, struct err *err)
{
        const struct json_token *list = graph->tokens.list;
        size_t end = list[at].kind == JSON_KIND_ARRAY ? list[at].next : at + 1;

        if (list[at].kind == JSON_KIND_NULL)
                return 0;
        for (size_t i = list[at].kind == JSON_KIND_ARRAY ? at + 1 : at; i < end; i = json_next(list, i)) {
                CLEANUP_WITH(xfree) char *text = NULL;

                if (list[i].kind != JSON_KIND_STRING)
                        return err_set(
                                err, ERR_BAD_DATA,
                                "tasks[%u] (%.80s): after: names of tasks are wanted; example: \"after\": "
                                "[\"b\", \"ok:c\"]",
                                node->no, node->name);
                text = text_of(graph, i);
                if (add_edge(graph, node, text, err) < 0)
                        return -1;
        }
        return 0;
}

/* A parent whose output it reads; it is one also where `after` does not say so. */
static int read_stdin_from(struct graph *graph, struct node *node, size_t at, size_t first, struct err *err)
{
        const struct json_token *token = &graph->tokens.list[at];
        CLEANUP_WITH(xfree) char *text = token->kind == JSON_KIND_STRING ? text_of(graph, at) : NULL;
        const struct node *parent = text ? find_node(graph, text) : NULL;

        if (!parent)
                return err_set(err, ERR_BAD_DATA,
                               "tasks[%u] (%.80s): stdin_from: there is no task \"%.80s\"; example: \"sort\"",
                               node->no, node->name, text ? text : "");
        node->stdin_from = parent->no + 1;
        for (size_t i = first; i < graph->n_edges; i++)
                if (graph->edges[i].parent == parent->no)
                        return 0;
        return add_edge(graph, node, text, err);
}

static int read_edges(struct graph *graph, struct err *err)
{
        graph->first = xcalloc(graph->n + 1, sizeof(*graph->first));
        for (size_t k = 0; k < graph->n; k++) {
                struct json_object task = object_at(graph, graph->nodes[k].token, "", task_keys);
                size_t after = json_object_find(&task, "after");
                size_t from = json_object_find(&task, "stdin_from");

                if ((after && read_after(graph, &graph->nodes[k], after, err) < 0) ||
                    (from && read_stdin_from(graph, &graph->nodes[k], from, graph->first[k], err) < 0))
                        return -1;
                graph->first[k + 1] = graph->n_edges;
        }
        return 0;
}

/* Says the circle that is met by going from parent to parent, starting at a task that is on one or below one. */
static int say_circle(const struct graph *graph, const uint32_t *left, uint32_t start, struct err *err)
{
        CLEANUP_WITH(xfree) uint32_t *seen = xcalloc(graph->n, sizeof(*seen));
        CLEANUP_BUF struct buf path = { 0 };
        uint32_t at = start, n = 0, from;

        while (!seen[at]) {
                size_t i = graph->first[at];

                seen[at] = ++n;
                while (left[graph->edges[i].parent] == 0)
                        i++;
                at = graph->edges[i].parent;
        }
        from = at;
        buf_add_str(&path, graph->nodes[at].name);
        do {
                size_t i = graph->first[at];

                while (left[graph->edges[i].parent] == 0)
                        i++;
                at = graph->edges[i].parent;
                buf_addf(&path, " after %s", graph->nodes[at].name);
        } while (at != from && path.n < 400);
        return err_set(err, ERR_BAD_DATA, "tasks wait for each other in a circle: %s%s", path.bytes,
                       at != from ? " after …" : "");
}

static int check_circles(const struct graph *graph, struct err *err)
{
        CLEANUP_WITH(xfree) uint32_t *left = xcalloc(graph->n, sizeof(*left));
        CLEANUP_WITH(xfree) size_t *out = xcalloc(graph->n + 2, sizeof(*out));
        CLEANUP_WITH(xfree) uint32_t *child = xcalloc(graph->n_edges + 1, sizeof(*child));
        CLEANUP_WITH(xfree) uint32_t *order = xcalloc(graph->n, sizeof(*order));
        size_t n = 0;

        for (size_t i = 0; i < graph->n_edges; i++)
                out[graph->edges[i].parent + 2]++;
        for (size_t k = 0; k < graph->n; k++)
                out[k + 2] += out[k + 1];
        for (uint32_t k = 0; k < graph->n; k++) {
                for (size_t i = graph->first[k]; i < graph->first[k + 1]; i++)
                        child[out[graph->edges[i].parent + 1]++] = k;
                left[k] = (uint32_t)(graph->first[k + 1] - graph->first[k]);
                if (left[k] == 0)
                        order[n++] = k;
        }
        for (size_t k = 0; k < n; k++)
                for (size_t i = out[order[k]]; i < out[order[k] + 1]; i++)
                        if (--left[child[i]] == 0)
                                order[n++] = child[i];
        for (uint32_t k = 0; k < graph->n; k++)
                if (left[k] > 0)
                        return say_circle(graph, left, k, err);
        return 0;
}

/* --- the description of each task ------------------------------------------------------------------------------- */
static int check_keys(const struct graph *graph, const struct node *node, struct err *err)
{
        const struct json_token *list = graph->tokens.list;

        for (size_t at = node->token + 1; at < list[node->token].next; at = json_next(list, at + 1)) {
                const char *key = graph->text.bytes + list[at].at;
                size_t n = list[at].end - list[at].at;
                const struct opt *opt;
                char name[65] = { 0 };

                for (size_t i = 0; i < n && i < 64; i++)
                        name[i] = key[i] == '_' ? '-' : key[i];
                opt = memchr(key, '-', n) ? NULL : opt_find(&submit_program, name);
                if (!is_key(task_keys, key, n) && !is_own_option(key, n) && opt && !opt->command)
                        return err_set(
                                err, ERR_BAD_DATA, "tasks[%u] (%.80s): %.*s %s", node->no, node->name, (int)n,
                                key,
                                is_key(sources, name, strlen(name))
                                        ? "has no meaning here: the tasks of a graph are those of this list"
                                        : "is the same for all tasks of a graph; put it into defaults");
        }
        return 0;
}

static int take_words(const struct json_object *task, const struct json_object *defaults, struct opts *opts,
                      struct json_texts *texts, struct err *err)
{
        size_t at = json_object_find(task, "command");

        if (at)
                return json_words(task, "command", at, opts, texts, err);
        at = defaults ? json_object_find(defaults, "command") : 0;
        return at ? json_words(defaults, "command", at, opts, texts, err) : 0;
}

/* What the command line gives for all tasks counts more than the defaults. */
static int add_line(const struct graph *graph, struct opts *opts, struct err *err)
{
        const struct opts *line = graph->submit->opts;

        for (size_t i = 0; i < line->n_values; i++) {
                const struct opt_value *value = &line->values[i];

                if (is_key(own_options, value->opt->name, strlen(value->opt->name)) &&
                    opts_add(opts, value->opt, value->text, value->number != 0, err) < 0)
                        return -1;
        }
        return 0;
}

/* The task as if it were a command line of its own; of that, what a task may say for itself. */
static int describe(struct graph *graph, const struct node *node, const char *path, struct buf *json,
                    struct err *err)
{
        struct json_object task = object_at(graph, node->token, path, task_keys);
        struct json_object defaults = object_at(graph, graph->defaults, "defaults", graph->job_keys);
        CLEANUP_OPTS struct opts opts = { .program = &submit_program };
        CLEANUP_JSON_TEXTS struct json_texts texts = { 0 };
        struct submit one = SUBMIT_EMPTY;
        int rc = -1;

        one.cli = graph->submit->cli;
        one.opts = &opts;
        one.spec.no_replace = true; /* ::: is an ordinary word here */
        if (check_keys(graph, node, err) == 0 &&
            (!graph->defaults || json_options(&defaults, &opts, &texts, err) == 0) &&
            add_line(graph, &opts, err) == 0 && json_options(&task, &opts, &texts, err) == 0 &&
            take_words(&task, graph->defaults ? &defaults : NULL, &opts, &texts, err) == 0)
                rc = submit_options(&one, err) < 0 || submit_environment(&one, err) < 0 ||
                                     submit_words(&one, err) < 0
                             ? err_wrap(err, "%s", path)
                             : 0;
        if (rc == 0 && node->no == 0)
                graph->submit->spec.type = one.spec.type;
        if (rc == 0 && node->stdin_from > 0 && opts_has(graph->submit->opts, "stdin"))
                rc = err_set(err, ERR_BAD_DATA, "%s: stdin_from: --stdin says something else", path);
        if (rc == 0 && one.spec.type != graph->submit->spec.type)
                rc = err_set(err, ERR_BAD_DATA, "%s: type: all tasks of a graph have the same", path);
        if (rc == 0)
                submit_encode_own(&one.spec, &graph->submit->spec, node->stdin_from, json);
        if (rc == 0 && submit_add_shape(graph->submit, node->no + UINT64_C(1), &one.spec, err) < 0)
                rc = err_wrap(err, "%s", path);
        submit_done(&one);
        if (rc < 0 && err->code == ERR_USAGE)
                err->code = ERR_BAD_DATA;
        return rc;
}

static int add_entry(struct graph *graph, const struct node *node, struct err *err)
{
        CLEANUP_BUF struct buf json = { 0 }, parents = { 0 };
        char path[128];
        const char *values[3];

        snprintf(path, sizeof(path), "%s[%u] (%.80s)", graph->where, node->no, node->name);
        if (describe(graph, node, path, &json, err) < 0)
                return -1;
        buf_add_char(&parents, 1);
        for (size_t i = graph->first[node->no]; i < graph->first[node->no + 1]; i++) {
                if (i > graph->first[node->no])
                        buf_add_char(&parents, ' ');
                if (graph->edges[i].when)
                        buf_add_char(&parents, graph->edges[i].when);
                buf_addf(&parents, "%u", graph->edges[i].parent + 1);
        }
        values[0] = node->name;
        values[1] = parents.bytes;
        values[2] = json.bytes;
        return entry_list_add(&graph->submit->entries, values, 3, err) < 0 ? err_wrap(err, "%s", path) : 0;
}

/* --- the job ----------------------------------------------------------------------------------------------------- */
static int name_of_job(struct graph *graph, const char *path, struct err *err)
{
        struct submit *submit = graph->submit;
        struct json_object top = object_at(graph, 0, "graph", top_keys);
        size_t at = json_object_find(&top, "name");
        const char *slash = strrchr(path, '/');

        if (submit->spec.name)
                return 0;
        if (at && graph->tokens.list[at].kind != JSON_KIND_STRING)
                return err_set(err, ERR_BAD_DATA, "name: a string is wanted");
        submit->name = at ? text_of(graph, at)
                          : xstrdup(strcmp(path, "-") == 0 ? "graph"
                                    : slash                ? slash + 1
                                                           : path);
        submit->spec.name = submit->name;
        submit->spec.n_name = strlen(submit->name);
        return cli_check_text("name", submit->name, 1, NAME_BYTES_MAX, err);
}

/* The tasks of a graph are those in its file. */
static int check_sources(const struct opts *opts, struct err *err)
{
        for (size_t i = 0; sources[i]; i++)
                if (opts_has(opts, sources[i]))
                        return err_set(err, ERR_USAGE,
                                       "--%s and --file exclude each other: the tasks of a graph stand in it",
                                       sources[i]);
        return 0;
}

/* What holds for all: the defaults, then the command line, which counts more. */
static int options_of_job(struct graph *graph, struct err *err)
{
        struct submit *submit = graph->submit;
        struct json_object defaults = object_at(graph, graph->defaults, "defaults", default_keys);
        CLEANUP_OPTS struct opts opts = { .program = &submit_program };
        CLEANUP_JSON_TEXTS struct json_texts texts = { 0 };
        const struct opts *line = submit->opts;
        int rc;

        if (graph->defaults && json_options(&defaults, &opts, &texts, err) < 0)
                return -1;
        for (size_t i = 0; i < line->n_values; i++)
                if (opts_add(&opts, line->values[i].opt, line->values[i].text, line->values[i].number != 0,
                             err) < 0)
                        return -1;
        if (check_sources(&opts, err) < 0)
                return -1;
        submit->opts = &opts;
        rc = submit_options(submit, err);
        submit->opts = line;
        for (size_t i = 0; rc == 0 && i < texts.n; i++)
                (void)submit_own(submit, STEAL(texts.list[i])); /* the description points to them */
        return rc;
}

static int scan(struct graph *graph, struct err *err)
{
        graph->tokens.most = TOKENS_MAX;
        if (json_scan(graph->text.bytes, graph->text.n, DEPTH_MAX, &graph->tokens, err) < 0)
                return -1;
        return json_no_doubles(graph->text.bytes, &graph->tokens, 0, err);
}

/* A workflow in WfFormat becomes a graph; a graph stays what it is. */
static int from_workflow(struct graph *graph, struct err *err)
{
        const char *scale = opts_text(graph->submit->opts, "wf-scale");
        CLEANUP_BUF struct buf text = { 0 };

        graph->where = "tasks";
        if (!submit_workflow_find(graph->text.bytes, graph->tokens.list))
                return scale ? err_set(err, ERR_USAGE,
                                       "--wf-scale: this is no workflow in WfFormat: it has no \"workflow\"")
                             : 0;
        if (submit_workflow(graph->text.bytes, graph->tokens.list, scale, &text, &graph->where, err) < 0)
                return -1;
        buf_done(&graph->text);
        graph->text = text;
        text = (struct buf){ 0 };
        json_tokens_done(&graph->tokens);
        return scan(graph, err);
}

static int read_graph(struct graph *graph, const char *path, struct err *err)
{
        if (read_file(path, &graph->text, err) < 0 || scan(graph, err) < 0 || from_workflow(graph, err) < 0 ||
            find_parts(graph, err) < 0 || read_names(graph, err) < 0 || read_edges(graph, err) < 0)
                return -1;
        if (check_circles(graph, err) < 0)
                return strcmp(graph->where, "tasks") == 0 ? -1 : err_wrap(err, "%s", graph->where);
        graph->submit->spec.edges = graph->n_edges;
        graph->submit->spec.has_edges = graph->submit->spec.has_type = true;
        list_job_keys(graph);
        if (options_of_job(graph, err) < 0 || name_of_job(graph, path, err) < 0)
                return -1;
        for (size_t k = 0; k < graph->n; k++)
                if (add_entry(graph, &graph->nodes[k], err) < 0)
                        return -1;
        return 0;
}

int submit_graph(struct submit *submit, struct err *err)
{
        const char *path = opts_text(submit->opts, "file");
        struct graph graph = { .submit = submit };
        int rc;

        if (submit->opts->n_words > 0)
                return err_set(
                        err, ERR_USAGE,
                        "--file: the commands stand in the graph file; '%.80s' has no meaning beside it",
                        submit->opts->words[0]);
        rc = read_graph(&graph, path, err);
        graph_done(&graph);
        if (rc < 0)
                return err_wrap(err, "%s", path);
        submit_describe_entries(submit);
        submit_end_shapes(submit);
        return 0;
}
