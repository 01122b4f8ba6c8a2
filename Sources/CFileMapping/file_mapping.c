#define _GNU_SOURCE
#include "file_mapping.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/// A mapping, as the signal handler sees it. The handler may run at any time, hence the atomics.
struct slot {
    atomic_bool taken;
    /// First mapped byte, at a page boundary; 0 if there is no mapping.
    atomic_uintptr_t start;
    atomic_size_t size;
    atomic_bool broken;
};

static struct slot slots[CFIC_MAPPINGS_MAX];
static struct sigaction before;
static bool is_installed;
static uintptr_t page_size;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/// Replaces the mapping from `address` on by zeros. POSIX doesn't allow mmap in signal handlers, but on Linux it is a
/// plain system call.
static bool replace(struct slot *slot, uintptr_t address)
{
    uintptr_t start = atomic_load(&slot->start);
    size_t size = atomic_load(&slot->size);
    if (start == 0 || address < start || address - start >= size)
        return false;
    uintptr_t page = address & ~(page_size - 1);
    void *rest = mmap((void *)page, start + size - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (rest == MAP_FAILED)
        return false;
    atomic_store(&slot->broken, true);
    return true;
}

static void handle(int signal, siginfo_t *info, void *context)
{
    int saved = errno;
    for (int number = 0; number < CFIC_MAPPINGS_MAX; number++) {
        if (replace(&slots[number], (uintptr_t)info->si_addr)) {
            errno = saved;
            return;
        }
    }
    errno = saved;
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(signal, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(signal);
    } else {
        // Restores the previous action; the same access then raises the signal again.
        sigaction(SIGBUS, &before, NULL);
    }
}

static void install(void)
{
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    is_installed = sigaction(SIGBUS, &action, &before) == 0;
}

bool cfic_map_file(int32_t descriptor, uint64_t offset, size_t size, struct cfic_file_mapping *mapping)
{
    pthread_once(&once, install);
    int number = 0;
    while (number < CFIC_MAPPINGS_MAX && atomic_exchange(&slots[number].taken, true))
        number++;
    if (!is_installed || number == CFIC_MAPPINGS_MAX) {
        if (number < CFIC_MAPPINGS_MAX)
            atomic_store(&slots[number].taken, false);
        errno = ENOMEM;
        return false;
    }
    // The caller's range lies in the file: the sum doesn't overflow.
    size_t lead = offset & (page_size - 1);
    size_t whole = (lead + size + page_size - 1) & ~(page_size - 1);
    void *start = mmap(NULL, whole, PROT_READ, MAP_PRIVATE, descriptor, (off_t)(offset - lead));
    if (start == MAP_FAILED) {
        atomic_store(&slots[number].taken, false);
        return false;
    }
    // Lets the kernel read ahead from the disk. Of larger mappings, perhaps not all is needed.
    if (size <= (size_t)64 << 20)
        madvise(start, whole, MADV_WILLNEED);
    struct slot *slot = &slots[number];
    atomic_store(&slot->broken, false);
    atomic_store(&slot->size, whole);
    atomic_store(&slot->start, (uintptr_t)start);
    *mapping = (struct cfic_file_mapping){ .start = (const char *)start + lead, .size = size, .slot = number };
    return true;
}

bool cfic_mapping_is_broken(const struct cfic_file_mapping *mapping)
{
    return atomic_load(&slots[mapping->slot].broken);
}

void cfic_unmap_file(const struct cfic_file_mapping *mapping)
{
    struct slot *slot = &slots[mapping->slot];
    void *start = (void *)atomic_exchange(&slot->start, 0);
    munmap(start, atomic_load(&slot->size));
    atomic_store(&slot->taken, false);
}
