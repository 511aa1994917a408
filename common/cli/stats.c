/* Three questions: the coordinator's own numbers, the queues' counts, the workers' slots. */
#include "cli/stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cli/listing.h"

static bool is(const struct cell *cell, const char *word)
{
        return cell->n == strlen(word) && !memcmp(cell->text, word, cell->n);
}

static uint64_t number_of(const struct cell *cell)
{
        char digits[24] = { 0 };

        if (cell->n == 0 || cell->n >= sizeof(digits))
                return 0;
        memcpy(digits, cell->text, cell->n);
        return strtoull(digits, NULL, 10);
}

static void take_status(struct stats *stats, const struct cell *name, const struct cell *value)
{
        const struct {
                const char *name;
                uint64_t *number;
        } numbers[] = {
                { "grants", &stats->grants },
                { "ends", &stats->ends },
                { "waiting_p50_ms", &stats->waiting_p50_ms },
                { "waiting_p95_ms", &stats->waiting_p95_ms },
        };

        if (is(name, "database"))
                stats->database_ok = is(value, "ok");
        for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
                if (is(name, numbers[i].name))
                        *numbers[i].number = number_of(value);
}

static int ask_status(struct cli *cli, struct stats *stats, struct err *err)
{
        CLEANUP_LISTING struct listing listing = { .cli = cli, .request = { .kind = MSG_status } };
        int more;

        while ((more = listing_next(&listing, err)) > 0)
                if (listing.n_columns >= 2)
                        take_status(stats, &listing.cells[0], &listing.cells[1]);
        return more;
}

static int add(const struct listing *listing, const char *column, uint64_t *sum, struct err *err)
{
        uint64_t n;

        if (listing_u64(listing, column, &n, err) < 0)
                return -1;
        *sum += n;
        return 0;
}

static int ask_queues(struct cli *cli, struct stats *stats, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_QUEUES);
        int more;

        while ((more = listing_next(&listing, err)) > 0)
                if (add(&listing, "jobs", &stats->jobs, err) < 0 ||
                    add(&listing, "held", &stats->held, err) < 0 ||
                    add(&listing, "waiting", &stats->waiting, err) < 0 ||
                    add(&listing, "queued", &stats->queued, err) < 0 ||
                    add(&listing, "running", &stats->running, err) < 0)
                        return -1;
        return more;
}

static int ask_workers(struct cli *cli, struct stats *stats, struct err *err)
{
        CLEANUP_LISTING struct listing listing = listing_of(cli, LIST_KIND_WORKERS);
        int more;

        while ((more = listing_next(&listing, err)) > 0) {
                const struct cell *state;

                if (listing_cell(&listing, "state", &state, err) < 0)
                        return -1;
                if (!is(state, "connected") && !is(state, "draining"))
                        continue;
                stats->workers++;
                if (add(&listing, "slots", &stats->slots, err) < 0 ||
                    add(&listing, "slots_busy", &stats->slots_busy, err) < 0)
                        return -1;
        }
        return more;
}

int stats_ask(struct cli *cli, struct stats *ret_stats, struct err *err)
{
        struct stats stats = { 0 };

        if (ask_status(cli, &stats, err) < 0)
                return -1;
        stats.at_us = clock_mono_us();
        if (ask_queues(cli, &stats, err) < 0 || ask_workers(cli, &stats, err) < 0)
                return -1;
        *ret_stats = stats;
        return 0;
}

double stats_rate(uint64_t before, uint64_t after, const struct stats *a, const struct stats *b)
{
        int64_t us = b->at_us - a->at_us;

        return after < before || us <= 0 ? 0.0 : (double)(after - before) * (double)US_PER_S / (double)us;
}
