/* Results of tasks: what the check accepts, json-c accepts too. */
#include <json-c/json.h>

#include "base/xalloc.h"
#include "proto/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP_WITH(xfree) char *text = xstrndup((const char *)data, size);
        struct json_tokener *reader;

        if (size > 4096 || json_check(text, size, NULL) < 0)
                return 0;
        reader = json_tokener_new_ex((int)size + 2);
        json_tokener_set_flags(reader, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        json_object_put(json_tokener_parse_ex(reader, text, (int)size + 1));
        BUG_ON(json_tokener_get_error(reader) != json_tokener_success);
        json_tokener_free(reader);
        return 0;
}
