// As shares.c.
//
// Origin: own. Licence: Apache-2.0.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

const threadCPUTime = 3

func used() float64 {
	var time syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadCPUTime, uintptr(unsafe.Pointer(&time)), 0)
	return float64(time.Sec) + float64(time.Nsec)/1e9
}

//go:noinline
func spin(state uint64) uint64 {
	for i := 0; i < 5000; i++ {
		state = state*6364136223846793005 + 1442695040888963407
	}
	return state
}

//go:noinline
func part50(state uint64, until float64) uint64 {
	for used() < until {
		state ^= spin(state)
	}
	return state + 1
}

//go:noinline
func part30(state uint64, until float64) uint64 {
	for {
		state = spin(state+3) >> 1
		if used() >= until {
			return state ^ 5
		}
	}
}

//go:noinline
func part20(state uint64, until float64) uint64 {
	var sum uint64
	for used() < until {
		sum += spin(state - sum)
	}
	return sum * 7
}

func main() {
	// The clock is the thread's.
	runtime.LockOSThread()
	seconds := 1.0
	if len(os.Args) > 1 {
		seconds, _ = strconv.ParseFloat(os.Args[1], 64)
	}
	begin, state := used(), uint64(1)
	for begin < seconds {
		state = part50(state, begin+0.0185)
		state = part30(state, begin+0.0296)
		state = part20(state, begin+0.037)
		begin += 0.037
	}
	fmt.Println(state)
}
