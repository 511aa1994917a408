/* Kinds of workers, and what fits them.
 *
 * Invariants: 1. a fit that says NONE is right: no worker in that list of its kind has room. 2. what a worker holds, as
 * far as it is counted here, is what its leases that are out need. */
#include "core/fit.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

typedef unsigned long long ull;

#define SHORT_TASKS                                                                                          \
        3 /* a window of so many times the slots: its tasks take milliseconds, waiting for them costs nothing */

/* ------------------------------------------------------------------ kinds */

static int by_text(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_sorted(struct buf *key, const char *const *list, size_t n)
{
        const char **sorted = xcalloc(n + 1, sizeof(*sorted));

        for (size_t i = 0; i < n; i++)
                sorted[i] = list[i];
        qsort(sorted, n, sizeof(*sorted), by_text);
        for (size_t i = 0; i < n; i++)
                buf_add(key, sorted[i], strlen(sorted[i]) + 1);
        free(sorted);
}

static uint32_t types_of(const struct msg_ready *ready)
{
        uint32_t types = 0;

        for (size_t i = 0; i < ready->n_types; i++) {
                int type = task_type_from_word(ready->types[i]);

                if (type > 0)
                        types |= 1u << type;
        }
        return types;
}

struct kind *kind_get(struct core *core, const struct msg_ready *ready)
{
        CLEANUP_BUF struct buf key = { 0 };
        struct kind *kind;
        uint32_t types = types_of(ready);
        size_t numbers;
        const char *at;

        buf_addf(&key, "%llu %u %llu %llu %zu", (ull)ready->slots, types, (ull)ready->mem, (ull)ready->gpus,
                 ready->n_res);
        buf_add_char(&key, '\0');
        numbers = key.n;
        add_sorted(&key, ready->res, ready->n_res);
        add_sorted(&key, ready->labels, ready->n_labels);
        HASH_FIND(hh, core->kinds, key.bytes, (unsigned)key.n, kind);
        if (kind) {
                kind->refs++;
                return kind;
        }
        kind = xcalloc(1, sizeof(*kind));
        kind->key = xmemdup(key.bytes, key.n);
        kind->key_bytes = key.n;
        kind->refs = 1;
        kind->slots = (uint32_t)ready->slots;
        kind->types = types;
        kind->mem_bytes = ready->mem;
        kind->gpus = (uint32_t)ready->gpus;
        kind->n_res = ready->n_res;
        kind->n_labels = ready->n_labels;
        kind->res = xcalloc(kind->n_res + 1, sizeof(*kind->res));
        kind->labels = xcalloc(kind->n_labels + 1, sizeof(*kind->labels));
        at = (const char *)kind->key + numbers;
        for (size_t i = 0; i < kind->n_res; i++, at += strlen(at) + 1)
                kind->res[i] = amount_of(at);
        for (size_t i = 0; i < kind->n_labels; i++, at += strlen(at) + 1)
                kind->labels[i] = at;
        HASH_ADD_KEYPTR(hh, core->kinds, kind->key, (unsigned)kind->key_bytes, kind);
        return kind;
}

static void fit_free(struct fit *fit)
{
        HASH_DELETE(hh, fit->kind->fits, fit);
        DL_DELETE(fit->needs->fits, fit);
        free(fit);
}

void kind_unref(struct core *core, struct kind *kind)
{
        if (!kind || --kind->refs > 0)
                return;
        while (kind->fits)
                fit_free(kind->fits);
        HASH_DELETE(hh, core->kinds, kind);
        free(kind->res);
        free(kind->labels);
        free(kind->key);
        free(kind);
}

void fits_forget_needs(struct needs *needs)
{
        while (needs->fits)
                fit_free(needs->fits);
}

/* ------------------------------------------------------------------ could it ever */

static const struct amount *res_find(const struct kind *kind, const struct amount *wanted)
{
        for (size_t i = 0; i < kind->n_res; i++) {
                const struct amount *has = &kind->res[i];

                if (has->n_name == wanted->n_name && memcmp(has->name, wanted->name, has->n_name) == 0)
                        return has;
        }
        return NULL;
}

/* "disk" is there with any value, "disk=ssd" as it is. */
static bool has_label(const struct kind *kind, const char *label)
{
        size_t n = strlen(label);
        bool whole = strchr(label, '=') != NULL;

        for (size_t i = 0; i < kind->n_labels; i++) {
                const char *has = kind->labels[i];

                if (strncmp(has, label, n) == 0 && (has[n] == '\0' || (!whole && has[n] == '=')))
                        return true;
        }
        return false;
}

static bool has_res(const struct kind *kind, const struct amount *wanted)
{
        const struct amount *has = res_find(kind, wanted);

        return has && has->n >= wanted->n;
}

static bool has_type(const struct kind *kind, const struct needs *needs)
{
        return kind->types >> needs->type & 1;
}

static bool could_run(const struct kind *kind, const struct needs *needs)
{
        if (kind->slots < needs->cpus || !has_type(kind, needs) || kind->mem_bytes < needs->mem_bytes ||
            kind->gpus < needs->gpus)
                return false;
        for (size_t i = 0; i < needs->n_res; i++) {
                if (!has_res(kind, &needs->amounts[i]))
                        return false;
        }
        for (size_t i = 0; i < needs->n_require; i++) {
                if (!has_label(kind, needs->require[i]))
                        return false;
        }
        for (size_t i = 0; i < needs->n_avoid; i++) {
                if (has_label(kind, needs->avoid[i]))
                        return false;
        }
        return true;
}

static struct fit *fit_get(struct kind *kind, struct needs *needs)
{
        struct fit *fit;

        HASH_FIND_PTR(kind->fits, &needs, fit);
        if (fit)
                return fit;
        fit = xcalloc(1, sizeof(*fit) + needs->n_res * sizeof(fit->res_at[0]));
        fit->needs = needs;
        fit->kind = kind;
        fit->able = could_run(kind, needs);
        for (size_t i = 0; fit->able && i < needs->n_res; i++)
                fit->res_at[i] = (uint32_t)(res_find(kind, &needs->amounts[i]) - kind->res);
        HASH_ADD_PTR(kind->fits, needs, fit);
        DL_APPEND(needs->fits, fit);
        return fit;
}

bool fit_able(struct kind *kind, struct needs *needs)
{
        return needs->plain ? kind->slots > 0 && has_type(kind, needs) : fit_get(kind, needs)->able;
}

uint64_t fit_suitable(const struct core *core, struct needs *needs)
{
        uint64_t n = 0;

        for (struct kind *kind = core->kinds; kind; kind = kind->hh.next) {
                if (kind->n > 0 && could_run(kind, needs))
                        n += kind->n;
        }
        return n;
}

/* ------------------------------------------------------------------ has it room now */

/* A task of several cpus waits for free slots, unless the worker's tasks are so short that it is as good as there. */
static uint64_t room_in_cpus(const struct worker *worker, uint32_t cpus)
{
        uint64_t room = worker->window > worker->outstanding ? worker->window - worker->outstanding : 0;
        uint64_t free_slots = worker->slots > worker->outstanding ? worker->slots - worker->outstanding : 0;

        if (cpus == 1)
                return room;
        if (worker->window >= (uint64_t)SHORT_TASKS * worker->slots && room >= cpus)
                return room / cpus;
        return MIN(free_slots, room) / cpus;
}

static uint64_t room_of(const struct fit *fit, const struct worker *worker, uint64_t most)
{
        const struct needs *needs = fit->needs;
        const struct kind *kind = fit->kind;
        uint64_t n = MIN(most, room_in_cpus(worker, needs->cpus));

        if (needs->mem_bytes > 0)
                n = MIN(n, (kind->mem_bytes - MIN(worker->held_mem, kind->mem_bytes)) / needs->mem_bytes);
        if (needs->gpus > 0)
                n = MIN(n, (uint64_t)(kind->gpus - MIN(worker->held_gpus, kind->gpus)) / needs->gpus);
        for (size_t i = 0; i < needs->n_res && n > 0; i++) {
                uint64_t all = kind->res[fit->res_at[i]].n;
                uint64_t held = worker->held_res[fit->res_at[i]];

                if (needs->amounts[i].n > 0)
                        n = MIN(n, (all - MIN(held, all)) / needs->amounts[i].n);
        }
        return n;
}

uint64_t fit_room(const struct worker *worker, struct needs *needs, uint64_t most)
{
        if (needs->plain)
                return MIN(most, room_in_cpus(worker, 1));
        return room_of(fit_get(worker->kind, needs), worker, most);
}

struct worker *fit_find(struct core *core, struct kind *kind, struct needs *needs, enum hunger hunger)
{
        struct worker *worker = kind->hungry[hunger];
        struct fit *fit;

        if (needs->plain || !worker)
                return worker;
        fit = fit_get(kind, needs);
        if (fit->now[hunger].state == FIT_ONE) {
                HASH_FIND(hh, core->workers, &fit->now[hunger].one, sizeof(fit->now[hunger].one), worker);
                if (worker && worker->kind == kind && worker->hunger == hunger && room_of(fit, worker, 1) > 0)
                        return worker;
                fit->now[hunger].state = FIT_NONE;
        }
        if (fit->now[hunger].state == FIT_NONE)
                return NULL;
        DL_FOREACH2(kind->hungry[hunger], worker, hungry_next)
        {
                if (room_of(fit, worker, 1) > 0)
                        return worker;
        }
        fit->now[hunger].state = FIT_NONE;
        return NULL;
}

void fit_grown(struct worker *worker)
{
        struct fit *fit;

        if (!worker->kind || worker->hunger == FULL)
                return;
        worker->kind->nothing_at[worker->hunger] = 0;
        for (fit = worker->kind->fits; fit; fit = fit->hh.next) {
                enum fit_state *state = &fit->now[worker->hunger].state;
                uint32_t *one = &fit->now[worker->hunger].one;

                if (!fit->able || *state == FIT_UNKNOWN || (*state == FIT_ONE && *one == worker->id) ||
                    room_of(fit, worker, 1) == 0)
                        continue;
                *state = *state == FIT_NONE ? FIT_ONE : FIT_UNKNOWN;
                *one = worker->id;
        }
}

static void hold(struct worker *worker, const struct needs *needs, uint64_t n, bool more)
{
        worker->held_mem += more ? n * needs->mem_bytes : -(n * needs->mem_bytes);
        worker->held_gpus += (uint32_t)(more ? n * needs->gpus : -(n * needs->gpus));
        for (size_t i = 0; i < needs->n_res; i++) {
                const struct amount *has = res_find(worker->kind, &needs->amounts[i]);
                uint64_t amount = n * needs->amounts[i].n;

                if (has)
                        worker->held_res[has - worker->kind->res] += more ? amount : -amount;
        }
}

void fit_hold(struct worker *worker, const struct needs *needs, bool more)
{
        if (worker->kind && !needs->plain)
                hold(worker, needs, 1, more);
}

void fit_recount(struct worker *worker)
{
        struct lease *lease;

        worker->held_mem = 0;
        worker->held_gpus = 0;
        free(worker->held_res);
        worker->held_res = xcalloc(worker->kind->n_res + 1, sizeof(*worker->held_res));
        DL_FOREACH2(worker->leases, lease, worker_next)
        hold(worker, lease->needs, lease->n_out, true);
}

/* ------------------------------------------------------------------ for people */

struct lack {
        struct buf *out;
        uint64_t all;
        bool any;
};

static void say(struct lack *lack, uint64_t n, const char *text)
{
        if (n == 0)
                return;
        buf_addf(lack->out, "%s%llu of %llu %s", lack->any ? ", " : "", (ull)n, (ull)lack->all, text);
        lack->any = true;
}

static void say_lists(const struct core *core, const struct needs *needs, struct lack *lack)
{
        const struct kind *kind;

        for (size_t i = 0; i < needs->n_res + needs->n_require + needs->n_avoid; i++) {
                CLEANUP_BUF struct buf text = { 0 };
                size_t k = i - needs->n_res;
                uint64_t n = 0;

                for (kind = core->kinds; kind; kind = kind->hh.next) {
                        bool fails;

                        if (i < needs->n_res)
                                fails = !has_res(kind, &needs->amounts[i]);
                        else if (k < needs->n_require)
                                fails = !has_label(kind, needs->require[k]);
                        else
                                fails = has_label(kind, needs->avoid[k - needs->n_require]);
                        n += fails ? kind->n : 0;
                }
                if (i < needs->n_res)
                        buf_addf(&text, "have less than %.*s=%llu", (int)needs->amounts[i].n_name,
                                 needs->amounts[i].name, (ull)needs->amounts[i].n);
                else if (k < needs->n_require)
                        buf_addf(&text, "lack label %s", needs->require[k]);
                else
                        buf_addf(&text, "have label %s", needs->avoid[k - needs->n_require]);
                say(lack, n, text.bytes);
        }
}

static void say_drained(const struct core *core, struct lack *lack)
{
        const struct worker *worker, *next;
        uint64_t n = 0;

        HASH_ITER (hh, core->workers, worker, next)
                n += worker->session.n != 0 && worker->state == WORKER_DRAINING;
        if (n > 0)
                buf_addf(lack->out, "%s%llu more %s draining", lack->any ? ", " : "", (ull)n,
                         n == 1 ? "is" : "are");
}

void fit_say_lack(const struct core *core, const struct needs *needs, struct buf *out)
{
        struct lack lack = { .out = out };
        CLEANUP_BUF struct buf text = { 0 };
        uint64_t cpus = 0, types = 0, mem = 0, gpus = 0;

        for (const struct kind *kind = core->kinds; kind; kind = kind->hh.next) {
                lack.all += kind->n;
                cpus += kind->slots < needs->cpus ? kind->n : 0;
                types += has_type(kind, needs) ? 0 : kind->n;
                mem += kind->mem_bytes < needs->mem_bytes ? kind->n : 0;
                gpus += kind->gpus < needs->gpus ? kind->n : 0;
        }
        buf_addf(&text, "have fewer than %u slots", needs->cpus);
        say(&lack, cpus, text.bytes);
        buf_clear(&text);
        buf_addf(&text, "have less than %llu bytes of memory for tasks", (ull)needs->mem_bytes);
        say(&lack, mem, text.bytes);
        buf_clear(&text);
        buf_addf(&text, "have fewer than %u gpus", needs->gpus);
        say(&lack, gpus, text.bytes);
        say_lists(core, needs, &lack);
        buf_clear(&text);
        buf_addf(&text, "do not run tasks of type %s", task_type_word(needs->type));
        say(&lack, types, text.bytes);
        say_drained(core, &lack);
}
