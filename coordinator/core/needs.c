/* The table of needs, by value.
 *
 * Invariants: 1. no two entries are equal. 2. an entry lives exactly as long as somebody refers to it. */
#include "core/needs.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "core/fit.h"
#include "core/state.h"

struct amount amount_of(const char *text)
{
        struct amount amount = { .name = text };
        const char *p;

        while (text[amount.n_name] != '\0' && text[amount.n_name] != '=')
                amount.n_name++;
        p = text + amount.n_name;
        for (p += *p == '='; *p >= '0' && *p <= '9' && amount.n <= ID_MAX / 10; p++)
                amount.n = amount.n * 10 + (uint64_t)(*p - '0');
        return amount;
}

static int by_text(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The list as bytes, sorted, each word once. Returns how many. */
static size_t add_words(struct buf *key, const char *const *list, size_t n)
{
        const char **sorted = xcalloc(n + 1, sizeof(*sorted));
        size_t kept = 0;

        for (size_t i = 0; i < n; i++)
                sorted[i] = list[i];
        qsort(sorted, n, sizeof(*sorted), by_text);
        for (size_t i = 0; i < n; i++) {
                if (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0)
                        continue;
                buf_add(key, sorted[i], strlen(sorted[i]) + 1);
                kept++;
        }
        buf_add_char(key, '\0'); /* no word is empty: the end of the list */
        free(sorted);
        return kept;
}

/* Points a list at its words inside the key; returns what follows them. */
static const char *point_at(const char *at, const char ***ret_list, size_t n)
{
        *ret_list = n > 0 ? xcalloc(n, sizeof(**ret_list)) : NULL;
        for (size_t i = 0; i < n; i++) {
                (*ret_list)[i] = at;
                at += strlen(at) + 1;
        }
        return at + 1;
}

struct needs *needs_get(struct core *core, const struct needs *like)
{
        CLEANUP_BUF struct buf key = { 0 };
        struct needs *needs;
        size_t numbers, n_res, n_require, n_avoid;
        const char *at;

        buf_addf(&key, "%d %u %u %llu", (int)like->type, like->cpus, like->gpus,
                 (unsigned long long)like->mem_bytes);
        buf_add_char(&key, '\0');
        numbers = key.n;
        n_res = add_words(&key, like->res, like->n_res);
        n_require = add_words(&key, like->require, like->n_require);
        n_avoid = add_words(&key, like->avoid, like->n_avoid);
        HASH_FIND(hh, core->needs, key.bytes, (unsigned)key.n, needs);
        if (needs)
                return needs_ref(needs);
        needs = xcalloc(1, sizeof(*needs));
        *needs = (struct needs){ .type = like->type,
                                 .cpus = like->cpus,
                                 .gpus = like->gpus,
                                 .mem_bytes = like->mem_bytes,
                                 .n_res = n_res,
                                 .n_require = n_require,
                                 .n_avoid = n_avoid,
                                 .refs = 1,
                                 .key = xmemdup(key.bytes, key.n),
                                 .key_bytes = key.n };
        at = (const char *)needs->key + numbers;
        at = point_at(at, &needs->res, n_res);
        at = point_at(at, &needs->require, n_require);
        point_at(at, &needs->avoid, n_avoid);
        needs->amounts = xcalloc(n_res + 1, sizeof(*needs->amounts));
        for (size_t i = 0; i < n_res; i++)
                needs->amounts[i] = amount_of(needs->res[i]);
        needs->plain = needs->cpus == 1 && needs->gpus == 0 && needs->mem_bytes == 0 &&
                       n_res + n_require + n_avoid == 0;
        HASH_ADD_KEYPTR(hh, core->needs, needs->key, (unsigned)needs->key_bytes, needs);
        return needs;
}

struct needs *needs_of(struct core *core, const struct rec_job_spec *spec)
{
        struct needs like = { .type = spec->type,
                              .cpus = spec->has_cpus ? (uint32_t)spec->cpus : 1,
                              .gpus = (uint32_t)spec->gpus,
                              .mem_bytes = spec->mem,
                              .res = spec->res,
                              .n_res = spec->n_res,
                              .require = spec->require,
                              .n_require = spec->n_require,
                              .avoid = spec->avoid,
                              .n_avoid = spec->n_avoid };

        return needs_get(core, &like);
}

struct needs *needs_ref(struct needs *needs)
{
        needs->refs++;
        return needs;
}

void needs_unref(struct core *core, struct needs *needs)
{
        if (--needs->refs > 0)
                return;
        fits_forget_needs(needs);
        HASH_DELETE(hh, core->needs, needs);
        free(needs->amounts);
        free(needs->res);
        free(needs->require);
        free(needs->avoid);
        free(needs->key);
        free(needs);
}
