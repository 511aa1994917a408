/* The table of task types. */
#include "tasks/task.h"

const struct task_ops *task_ops_of(enum task_type type)
{
        switch (type) {
#define TASK_TYPE(name, number, word, least, most, what)                                                     \
        case TASK_TYPE_##name:                                                                               \
                return &task_ops_##name;
#include "proto/task_types.def"
#undef TASK_TYPE
        }
        return NULL; /* the decoder lets no other pass */
}

uint32_t task_types_at_once(void)
{
        uint32_t types = 0;

#define TASK_TYPE(name, number, word, least, most, what)                                                     \
        if (task_ops_##name.group)                                                                           \
                types |= UINT32_C(1) << TASK_TYPE_##name;
#include "proto/task_types.def"
#undef TASK_TYPE
        return types;
}
