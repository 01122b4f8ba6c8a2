// As shares.c.
//
// Origin: own. Licence: Apache-2.0.

#[repr(C)]
struct Time {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Time) -> i32;
}

const THREAD_CPU_TIME: i32 = 3;

fn used() -> f64 {
    let mut time = Time { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(THREAD_CPU_TIME, &mut time) };
    time.seconds as f64 + time.nanoseconds as f64 / 1e9
}

#[inline(never)]
fn spin(mut state: u64) -> u64 {
    for _ in 0..5000 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    }
    state
}

#[inline(never)]
fn part50(mut state: u64, until: f64) -> u64 {
    while used() < until {
        state ^= spin(state);
    }
    state.wrapping_add(1)
}

#[inline(never)]
fn part30(mut state: u64, until: f64) -> u64 {
    loop {
        state = spin(state.wrapping_add(3)) >> 1;
        if used() >= until {
            return state ^ 5;
        }
    }
}

#[inline(never)]
fn part20(state: u64, until: f64) -> u64 {
    let mut sum = 0u64;
    while used() < until {
        sum = sum.wrapping_add(spin(state.wrapping_sub(sum)));
    }
    sum.wrapping_mul(7)
}

fn main() {
    let seconds: f64 = std::env::args().nth(1).map_or(1.0, |text| text.parse().unwrap());
    let (mut begin, mut state) = (used(), 1);
    while begin < seconds {
        state = part50(state, begin + 0.0185);
        state = part30(state, begin + 0.0296);
        state = part20(state, begin + 0.037);
        begin += 0.037;
    }
    println!("{}", state);
}
