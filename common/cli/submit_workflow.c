/* A published instance of a workflow (WfFormat) as a graph file. Versions differ in where things stand, and each is taken
 * where it is found: tasks in workflow.specification.tasks, workflow.tasks or workflow.jobs; what they did in
 * workflow.execution.tasks or beside it; parents by id or by name, or only as the children of others.
 *
 * Each task becomes one of the graph, in their order, with its id as its name. With --wf-scale it sleeps as long as it ran,
 * times that, and asks for nothing; else it runs the command that was recorded, on as many cpus as it had. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/submit.h"

#define NAME_BYTES_MAX 255
#define SLEEP_MAX_S 31622400.0 /* as --type sleep */

struct wf_task {
        char *id;
        uint32_t no;
        size_t token, run; /* what is said of it, and of its run; the same token where the version has one */
};
struct wf_edge {
        uint32_t child, parent;
};
struct workflow {
        const char *text;
        const struct json_token *list;
        const char *where; /* the path of its tasks */
        struct wf_task *tasks;
        struct wf_task **by_id;
        char **names; /* by number */
        struct wf_task **by_name;
        size_t n;
        struct wf_edge *edges;
        size_t n_edges, cap_edges;
        double scale; /* below 0: the recorded commands */
};

static const char *const no_keys[] = { NULL };

int submit_parse_scale(const struct opt *opt UNUSED, const char *text, int64_t *ret_number, struct err *err)
{
        char *end;
        double scale = strtod(text, &end);

        *ret_number = 0;
        if (strspn(text, "0123456789.eE-") != strlen(text) || end == text || *end || !(scale >= 0) ||
            scale > 1000)
                return err_set(err, ERR_USAGE, "'%.80s' is no number from 0 to 1000", text);
        return 0;
}

static void workflow_done(struct workflow *workflow)
{
        for (size_t i = 0; i < workflow->n; i++) {
                xfree(workflow->tasks[i].id);
                xfree(workflow->names[i]);
        }
        xfree(workflow->tasks);
        xfree(workflow->by_id);
        xfree(workflow->names);
        xfree(workflow->by_name);
        xfree(workflow->edges);
}

/* ------------------------------------------------------------------ finding things */

static size_t find(const struct workflow *workflow, size_t at, const char *key)
{
        const struct json_object object = {
                .text = workflow->text, .list = workflow->list, .at = at, .path = "", .own = no_keys
        };

        return at > 0 && workflow->list[at].kind == JSON_KIND_OBJECT ? json_object_find(&object, key) : 0;
}

static char *text_at(const struct workflow *workflow, size_t at)
{
        const struct json_token *token = &workflow->list[at];
        char *text = xmalloc(token->end - token->at + 1);

        text[json_unescape(workflow->text, token, text)] = '\0';
        return text;
}

static bool is_kind(const struct workflow *workflow, size_t at, enum json_kind kind)
{
        return at > 0 && workflow->list[at].kind == kind;
}

size_t submit_workflow_find(const char *text, const struct json_token *list)
{
        const struct json_object top = { .text = text, .list = list, .at = 0, .path = "", .own = no_keys };

        return list[0].kind == JSON_KIND_OBJECT ? json_object_find(&top, "workflow") : 0;
}

static size_t find_tasks(struct workflow *workflow, size_t at, struct err *err)
{
        size_t specification = find(workflow, at, "specification");
        const struct {
                const char *where;
                size_t tasks;
        } places[] = {
                { "workflow.specification.tasks", find(workflow, specification, "tasks") },
                { "workflow.tasks", find(workflow, at, "tasks") },
                { "workflow.jobs", find(workflow, at, "jobs") },
        };

        for (size_t i = 0; i < ARRAY_LEN(places); i++) {
                workflow->where = places[i].where;
                if (!places[i].tasks)
                        continue;
                if (is_kind(workflow, places[i].tasks, JSON_KIND_ARRAY) &&
                    workflow->list[places[i].tasks].n > 0)
                        return places[i].tasks;
                err_set(err, ERR_BAD_DATA, "%s: a list of at least one task is wanted", places[i].where);
                return 0;
        }
        err_set(err, ERR_BAD_DATA,
                "workflow: no tasks: an instance in WfFormat has workflow.specification.tasks (1.5) or "
                "workflow.tasks (1.4 and before)");
        return 0;
}

/* ------------------------------------------------------------------ tasks */

static int by_id(const void *a, const void *b)
{
        return strcmp((*(struct wf_task *const *)a)->id, (*(struct wf_task *const *)b)->id);
}

static struct wf_task *find_id(const struct workflow *workflow, const char *id)
{
        struct wf_task key = { .id = (char *)(uintptr_t)id }, *wanted = &key;
        struct wf_task **found =
                bsearch(&wanted, workflow->by_id, workflow->n, sizeof(*workflow->by_id), by_id);

        return found ? *found : NULL;
}

static int read_task(struct workflow *workflow, size_t at, struct err *err)
{
        size_t id = find(workflow, at, "id"), name = find(workflow, at, "name");
        struct wf_task *task = &workflow->tasks[workflow->n];
        size_t known = id ? id : name;

        if (workflow->list[at].kind != JSON_KIND_OBJECT)
                return err_set(err, ERR_BAD_DATA, "%s[%zu]: an object is wanted", workflow->where,
                               workflow->n);
        if (!is_kind(workflow, known, JSON_KIND_STRING) ||
            workflow->list[known].at == workflow->list[known].end ||
            workflow->list[known].end - workflow->list[known].at > NAME_BYTES_MAX)
                return err_set(err, ERR_BAD_DATA, "%s[%zu]: %s: a string of 1 to %d bytes is wanted",
                               workflow->where, workflow->n, id || !name ? "id" : "name", NAME_BYTES_MAX);
        *task = (struct wf_task){
                .id = text_at(workflow, known), .no = (uint32_t)workflow->n, .token = at, .run = at
        };
        if (is_kind(workflow, name, JSON_KIND_STRING))
                workflow->names[workflow->n] = text_at(workflow, name);
        workflow->n++;
        return 0;
}

/* Names in the order of strcmp; NULL, of a task that has none, comes last. */
static int by_name(const void *a, const void *b, void *arg)
{
        char **names = arg;
        const char *x = names[(*(struct wf_task *const *)a)->no];
        const char *y = names[(*(struct wf_task *const *)b)->no];

        if (!x || !y)
                return (x == NULL) - (y == NULL);
        return strcmp(x, y);
}

static int read_tasks(struct workflow *workflow, size_t tasks, struct err *err)
{
        size_t n = workflow->list[tasks].n;

        workflow->tasks = xcalloc(n, sizeof(*workflow->tasks));
        workflow->names = xcalloc(n, sizeof(*workflow->names));
        workflow->by_id = xcalloc(n, sizeof(*workflow->by_id));
        workflow->by_name = xcalloc(n, sizeof(*workflow->by_name));
        for (size_t at = tasks + 1; at < workflow->list[tasks].next; at = json_next(workflow->list, at))
                if (read_task(workflow, at, err) < 0)
                        return -1;
        for (size_t i = 0; i < n; i++)
                workflow->by_id[i] = workflow->by_name[i] = &workflow->tasks[i];
        qsort(workflow->by_id, n, sizeof(*workflow->by_id), by_id);
        qsort_r(workflow->by_name, n, sizeof(*workflow->by_name), by_name, workflow->names);
        for (size_t i = 1; i < n; i++) {
                const struct wf_task *a = workflow->by_id[i - 1], *b = workflow->by_id[i];

                if (strcmp(a->id, b->id) == 0)
                        return err_set(err, ERR_BAD_DATA, "%s[%u] and [%u] have the same id \"%.80s\"",
                                       workflow->where, MIN(a->no, b->no), MAX(a->no, b->no), a->id);
        }
        return 0;
}

/* What was recorded of their runs, where a version has that apart. */
static int read_runs(struct workflow *workflow, size_t at, struct err *err)
{
        size_t execution = find(workflow, at, "execution"), runs = find(workflow, execution, "tasks");
        size_t no = 0;

        if (!runs)
                return 0;
        if (workflow->list[runs].kind != JSON_KIND_ARRAY)
                return err_set(err, ERR_BAD_DATA, "workflow.execution.tasks: a list is wanted");
        for (size_t i = runs + 1; i < workflow->list[runs].next; i = json_next(workflow->list, i), no++) {
                size_t id = find(workflow, i, "id");
                CLEANUP_WITH(xfree)
                char *text = is_kind(workflow, id, JSON_KIND_STRING) ? text_at(workflow, id) : NULL;
                struct wf_task *task = text ? find_id(workflow, text) : NULL;

                if (!task)
                        return err_set(err, ERR_BAD_DATA,
                                       "workflow.execution.tasks[%zu]: id: there is no task \"%.80s\"", no,
                                       text ? text : "");
                task->run = i;
        }
        return 0;
}

/* ------------------------------------------------------------------ edges */

/* By id, else by a name that only one task has. NULL: there is none, or *ret_many. */
static const struct wf_task *find_named(const struct workflow *workflow, const char *text, bool *ret_many)
{
        const struct wf_task *task = find_id(workflow, text);
        size_t lo = 0, hi = workflow->n;

        *ret_many = false;
        if (task)
                return task;
        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                const char *name = workflow->names[workflow->by_name[mid]->no];

                if (name && strcmp(name, text) < 0)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        for (size_t i = lo; i < workflow->n; i++) {
                const char *name = workflow->names[workflow->by_name[i]->no];

                if (!name || strcmp(name, text) != 0)
                        break;
                *ret_many = i > lo;
                task = workflow->by_name[i];
        }
        return *ret_many ? NULL : task;
}

static int read_side(struct workflow *workflow, const struct wf_task *task, const char *key, bool parents,
                     struct err *err)
{
        size_t at = find(workflow, task->token, key), no = 0;

        if (!at || workflow->list[at].kind == JSON_KIND_NULL)
                return 0;
        if (workflow->list[at].kind != JSON_KIND_ARRAY)
                return err_set(err, ERR_BAD_DATA, "%s[%u] (%.80s): %s: a list is wanted", workflow->where,
                               task->no, task->id, key);
        for (size_t i = at + 1; i < workflow->list[at].next; i = json_next(workflow->list, i), no++) {
                CLEANUP_WITH(xfree)
                char *text = is_kind(workflow, i, JSON_KIND_STRING) ? text_at(workflow, i) : NULL;
                bool many = false;
                const struct wf_task *other = text ? find_named(workflow, text, &many) : NULL;

                if (!other)
                        return err_set(err, ERR_BAD_DATA, "%s[%u] (%.80s): %s[%zu]: %s \"%.80s\"",
                                       workflow->where, task->no, task->id, key, no,
                                       many ? "several tasks are called" : "there is no task",
                                       text ? text : "");
                GROW(workflow->edges, workflow->cap_edges, workflow->n_edges + 1);
                workflow->edges[workflow->n_edges++] =
                        parents ? (struct wf_edge){ .child = task->no, .parent = other->no }
                                : (struct wf_edge){ .child = other->no, .parent = task->no };
        }
        return 0;
}

static int by_child(const void *a, const void *b)
{
        const struct wf_edge *x = a, *y = b;

        if (x->child != y->child)
                return x->child < y->child ? -1 : 1;
        return (x->parent > y->parent) - (x->parent < y->parent);
}

/* An edge is mostly said twice, by parent and child. */
static int read_edges(struct workflow *workflow, struct err *err)
{
        size_t n = 0;

        for (size_t k = 0; k < workflow->n; k++)
                if (read_side(workflow, &workflow->tasks[k], "parents", true, err) < 0 ||
                    read_side(workflow, &workflow->tasks[k], "children", false, err) < 0)
                        return -1;
        if (workflow->n_edges > 1)
                qsort(workflow->edges, workflow->n_edges, sizeof(*workflow->edges), by_child);
        for (size_t i = 0; i < workflow->n_edges; i++)
                if (n == 0 || by_child(&workflow->edges[n - 1], &workflow->edges[i]) != 0)
                        workflow->edges[n++] = workflow->edges[i];
        workflow->n_edges = n;
        return 0;
}

/* ------------------------------------------------------------------ what they run */

/* A number of the task's run; -1: there is none. */
static int read_number(const struct workflow *workflow, const struct wf_task *task, const char *key,
                       double *ret, struct err *err)
{
        size_t at = find(workflow, task->run, key);
        const struct json_token *token = &workflow->list[at];
        char text[64] = "";

        *ret = -1;
        if (!at || token->kind == JSON_KIND_NULL)
                return 0;
        if (token->kind == JSON_KIND_INTEGER || token->kind == JSON_KIND_NUMBER)
                memcpy(text, workflow->text + token->at, MIN(token->end - token->at, sizeof(text) - 1));
        *ret = strtod(text, NULL);
        if (!*text || !(*ret >= 0) || isinf(*ret))
                return err_set(err, ERR_BAD_DATA,
                               "%s[%u] (%.80s): %s: a number that is not negative is wanted", workflow->where,
                               task->no, task->id, key);
        return 0;
}

static int add_sleep(const struct workflow *workflow, const struct wf_task *task, struct buf *out,
                     struct err *err)
{
        double seconds, older;

        if (read_number(workflow, task, "runtimeInSeconds", &seconds, err) < 0 ||
            read_number(workflow, task, "runtime", &older, err) < 0)
                return -1;
        seconds = MAX(seconds >= 0 ? seconds : older, 0.0) * workflow->scale;
        if (seconds > SLEEP_MAX_S)
                return err_set(err, ERR_BAD_DATA, "%s[%u] (%.80s): it would sleep for more than a year",
                               workflow->where, task->no, task->id);
        buf_addf(out, ",\"command\":[\"%.6f\"]", seconds);
        return 0;
}

/* Some recorders write down a whole script as the program: a shell runs that. */
static int add_command(const struct workflow *workflow, const struct wf_task *task, struct buf *out,
                       struct err *err)
{
        size_t command = find(workflow, task->run, "command"), program = find(workflow, command, "program");
        size_t arguments = find(workflow, command, "arguments");
        CLEANUP_WITH(xfree) char *text = NULL;
        double cores, older;

        if (!is_kind(workflow, program, JSON_KIND_STRING) ||
            workflow->list[program].at == workflow->list[program].end)
                return err_set(err, ERR_BAD_DATA,
                               "%s[%u] (%.80s): no command was recorded; --wf-scale 1 sleeps as long as each "
                               "task ran",
                               workflow->where, task->no, task->id);
        text = text_at(workflow, program);
        buf_add_str(out, ",\"command\":[");
        if (strpbrk(text, " \t\n"))
                buf_add_str(out, "\"sh\",\"-c\",");
        buf_add_json_str(out, text, strlen(text));
        for (size_t i = is_kind(workflow, arguments, JSON_KIND_ARRAY) ? arguments + 1 : 0;
             i > 0 && i < workflow->list[arguments].next; i = json_next(workflow->list, i)) {
                CLEANUP_WITH(xfree)
                char *word = is_kind(workflow, i, JSON_KIND_STRING) ? text_at(workflow, i) : NULL;

                if (!word)
                        return err_set(err, ERR_BAD_DATA,
                                       "%s[%u] (%.80s): command.arguments: texts are wanted", workflow->where,
                                       task->no, task->id);
                buf_add_char(out, ',');
                buf_add_json_str(out, word, strlen(word));
        }
        buf_add_char(out, ']');
        if (read_number(workflow, task, "coreCount", &cores, err) < 0 ||
            read_number(workflow, task, "cores", &older, err) < 0)
                return -1;
        cores = cores >= 0 ? cores : older;
        if (cores > 1)
                buf_addf(out, ",\"cpus\":%.0f", ceil(cores));
        return 0;
}

static void add_name(const struct workflow *workflow, struct buf *out)
{
        const struct json_object top = {
                .text = workflow->text, .list = workflow->list, .at = 0, .path = "", .own = no_keys
        };
        size_t name = json_object_find(&top, "name");
        CLEANUP_WITH(xfree) char *text = NULL;

        if (!is_kind(workflow, name, JSON_KIND_STRING) ||
            workflow->list[name].at == workflow->list[name].end ||
            workflow->list[name].end - workflow->list[name].at > NAME_BYTES_MAX)
                return;
        text = text_at(workflow, name);
        buf_add_str(out, "\"name\":");
        buf_add_json_str(out, text, strlen(text));
        buf_add_char(out, ',');
}

/* The parents of the task whose edges begin at edges[at]; returns where the next one's do. */
static size_t add_after(const struct workflow *workflow, const struct wf_task *task, size_t at,
                        struct buf *out)
{
        size_t first = at;

        for (; at < workflow->n_edges && workflow->edges[at].child == task->no; at++) {
                CLEANUP_BUF struct buf after = { 0 };

                buf_addf(&after, "ok:%s", workflow->tasks[workflow->edges[at].parent].id);
                buf_add_str(out, at > first ? "," : ",\"after\":[");
                buf_add_json_str(out, after.bytes, after.n);
        }
        if (at > first)
                buf_add_char(out, ']');
        return at;
}

static int write_graph(const struct workflow *workflow, struct buf *out, struct err *err)
{
        size_t edge = 0;

        buf_add_char(out, '{');
        add_name(workflow, out);
        buf_addf(out, "\"defaults\":{%s},\"tasks\":[",
                 workflow->scale >= 0 ? "\"type\":\"sleep\"" : "\"no_replace\":true");
        for (size_t k = 0; k < workflow->n; k++) {
                const struct wf_task *task = &workflow->tasks[k];

                buf_add_str(out, k > 0 ? ",\n{\"name\":" : "\n{\"name\":");
                buf_add_json_str(out, task->id, strlen(task->id));
                if ((workflow->scale >= 0 ? add_sleep : add_command)(workflow, task, out, err) < 0)
                        return -1;
                edge = add_after(workflow, task, edge, out);
                buf_add_char(out, '}');
        }
        buf_add_str(out, "]}\n");
        return 0;
}

int submit_workflow(const char *text, const struct json_token *list, const char *scale, struct buf *out,
                    const char **ret_where, struct err *err)
{
        struct workflow workflow = { .text = text,
                                     .list = list,
                                     .scale = scale ? strtod(scale, NULL) : -1.0 };
        size_t at = submit_workflow_find(text, list), tasks = find_tasks(&workflow, at, err);
        int rc = !tasks || read_tasks(&workflow, tasks, err) < 0 || read_runs(&workflow, at, err) < 0 ||
                                 read_edges(&workflow, err) < 0 || write_graph(&workflow, out, err) < 0
                         ? -1
                         : 0;

        *ret_where = workflow.where;
        workflow_done(&workflow);
        return rc;
}
