/* Two looks back: what was counted before the older of them is of no task that dies now. */
#include "exec/oom.h"

void oom_start(struct oom *oom, uint64_t ends)
{
        oom->before = oom->newest = ends;
}

void oom_look(struct oom *oom, uint64_t ends)
{
        if (oom->before < oom->newest)
                oom->before = oom->newest;
        oom->newest = ends;
}

bool oom_blame(struct oom *oom, uint64_t ends)
{
        if (ends <= oom->before)
                return false;
        oom->before++;
        return true;
}
