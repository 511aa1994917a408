/* The grammar of names. */
#include "base/name.h"

static bool is_alnum(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool name_is_valid(const char *text, size_t bytes)
{
        if (!bytes || !is_alnum(text[0]))
                return false;
        for (size_t i = 1; i < bytes; i++)
                if (!is_alnum(text[i]) && text[i] != '.' && text[i] != '_' && text[i] != '-')
                        return false;
        return true;
}
