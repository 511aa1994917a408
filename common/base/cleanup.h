/* Ownership helpers: owning locals are released on every exit from their scope. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))

/* Declare `static void f_cleanup(T **p)` for a `void f(T *)` that accepts NULL, so that
 * `CLEANUP_WITH(f) T *x = ...;` frees x when its scope ends. */
#define DEFINE_CLEANUP(type, func)                                                                           \
        static inline void func##_cleanup(type **p)                                                          \
        {                                                                                                    \
                func(*p);                                                                                    \
        }
#define CLEANUP_WITH(func) __attribute__((cleanup(func##_cleanup)))

/* Take ownership out of a CLEANUP_WITH variable. */
#define STEAL(p)                                                                                             \
        ({                                                                                                   \
                __typeof__(p) steal_ = (p);                                                                  \
                (p) = NULL;                                                                                  \
                steal_;                                                                                      \
        })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
