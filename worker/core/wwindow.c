/* How much work to hold: enough that a slot never waits for the network, not so much that other workers starve. */
#include "core/wstate.h"

void window_ended(struct wcore *core, int64_t now_us, int64_t ran_us, uint64_t n)
{
        core->last_end_us = now_us;
        if (core->average_run_us < 0 || n >= 8)
                core->average_run_us = ran_us;
        else
                core->average_run_us += (ran_us - core->average_run_us) / 8;
        window_update(core, now_us);
}

/* Slots, plus as many tasks as run in WCORE_AHEAD_US. Tasks of more than twice that are fetched one by one: waiting
 * for the next costs them nothing that can be noticed. The window at most doubles at a time, so that a few short tasks
 * do not bring in thousands of long ones. */
void window_update(struct wcore *core, int64_t now_us)
{
        uint64_t slots = core->config.slots;
        uint64_t most = MAX(core->window * 2, slots + 1);
        int64_t average = core->average_run_us;
        uint64_t ahead;

        if (core->draining || core->paused) {
                core->window = 0;
                return;
        }
        if (average < 0)
                ahead = slots;
        else
                ahead = slots * (uint64_t)WCORE_AHEAD_US / (uint64_t)MAX(average, INT64_C(1));
        /* All slots are taken by tasks that have run longer than that: the average is of another time, or there is none. */
        if (!core->free_slots && now_us - core->last_end_us > 2 * WCORE_AHEAD_US)
                ahead = 0;
        core->window = MIN(slots + ahead, MAX(most, slots));
        core->window = MIN(core->window, MAX((uint64_t)WCORE_WINDOW_MAX, slots));
}
