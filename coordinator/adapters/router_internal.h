/* For the files of the router only. */
#ifndef ADAPTERS_ROUTER_INTERNAL_H
#define ADAPTERS_ROUTER_INTERNAL_H

#include "adapters/router.h"

void *router_socket(struct router *router); /* the zsock_t */

#endif
