/* Which version of the functions and structures that Python calls this is. Raise it, and ABI in
   library.py, when one of them changes: a library built before the change then says that it is
   stale, rather than reading memory that is not there. */
#include "dispatch.h"

#define TINYSEG_ABI 3

TINYSEG_EXPORT int tinyseg_abi(void);

int tinyseg_abi(void)
{
    return TINYSEG_ABI;
}
