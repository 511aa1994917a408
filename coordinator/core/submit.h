/* New jobs, and the chunks that make them whole. */
#ifndef CORE_SUBMIT_H
#define CORE_SUBMIT_H

#include "core/reply.h"

void submit_on_submit(struct core *core, const struct asker *asker, struct event *event);
void submit_on_put(struct core *core, const struct asker *asker, struct event *event);
void submit_durable(struct core *core, struct job *job); /* its submission is committed */
void submit_tick(struct core *core); /* uploads that were given up */
/* A job that replay found loading: its upload may go on. */
void submit_resume_upload(struct core *core, struct job *job, uint32_t chunks_stored);
void submit_init(struct core *core);

/* Shared by submit.c and upload.c. */
void submit_reply(struct core *core, const struct asker *asker, uint64_t job, uint64_t tasks, bool existing);
void submit_reply_stored(struct core *core, const struct asker *asker, uint64_t upto);
void submit_write_chunk(struct core *core, struct job *job, uint32_t no, const uint8_t *bytes, size_t n_bytes,
                        struct shared_bytes *body);
void submit_complete(struct core *core, struct job *job); /* nothing is missing: rows, event, and its fact */
void submit_start_upload(struct core *core, struct job *job);

#endif
