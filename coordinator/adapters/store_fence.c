/* The fence: no two coordinators ever both commit. */
#include <inttypes.h>

#include "adapters/store_writer.h"

int store_fence_check(const struct store_fence *fence, struct db *db, struct err *err)
{
        uint64_t epoch = 0;

        if (db_number(db, "fence", NULL, &epoch, err) < 0)
                return -1;
        if (epoch == fence->epoch)
                return 0;
        return err_set(err, ERR_FENCED,
                       "another coordinator has taken over (epoch %" PRIu64 ", ours is %" PRIu64 ")", epoch,
                       fence->epoch);
}

void store_fence_args(const struct store_fence *fence, struct db_args *args)
{
        db_args_init(args, "epoch:u batch:u");
        db_put_u64(args, fence->epoch);
        db_put_u64(args, fence->batch);
}

int store_fence_pass(struct store_fence *fence, struct db *db, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        uint64_t n = 0;

        if (fence->passed)
                return 0;
        store_fence_args(fence, &args);
        if (db_write(db, "writer_put", &args, &n, err) < 0)
                return -1;
        if (n != STORE_FENCE_MATCH)
                return store_fence_check(fence, db, err) < 0
                               ? -1
                               : err_set(err, ERR_INTERNAL, "the fence let nobody pass");
        fence->passed = true;
        return 0;
}
