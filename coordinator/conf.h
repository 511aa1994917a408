/* The coordinator's configuration: coordinator_conf.def as a struct, read from a file of `name = value` lines. */
#ifndef COORDINATOR_CONF_H
#define COORDINATOR_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CONF_ENDPOINTS_MAX 8

#define CONF_MEMBER_ENDPOINTS(field)                                                                         \
        char *field[CONF_ENDPOINTS_MAX];                                                                     \
        size_t n_##field;
#define CONF_MEMBER_PATH(field) char *field;
#define CONF_MEMBER_NAME(field) char *field;
#define CONF_MEMBER_DURATION(field) int64_t field;
#define CONF_MEMBER_COUNT(field) uint64_t field;

struct coordinator_conf {
        char *path;
#define CONF(field, name, kind, value, min, max, meaning) CONF_MEMBER_##kind(field)
#include "coordinator/coordinator_conf.def"
#undef CONF
};

/* CONFIG, with file, line and what would be right, for: unknown or doubled names, values outside their range, missing
 * ones, a file that others may write. Does not look at the files that it names. */
struct coordinator_conf *coordinator_conf_load(const char *path, struct err *err) MUST_CHECK;
void coordinator_conf_free(struct coordinator_conf *conf);
DEFINE_CLEANUP(struct coordinator_conf, coordinator_conf_free)

/* A file with every name, its meaning and default: deploy/config/coordinator.conf. */
void coordinator_conf_sample(struct buf *out);

#endif
