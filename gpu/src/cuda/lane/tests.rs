//! What is sent arrives, whatever was sent before and is under way: on a device that does nothing until it is waited for.
use std::sync::Arc;

use elanus_kernels::rng::Rng;

use super::{Lane, Plan};
use crate::cuda::device::Device;
use crate::cuda::driver::{Lines, emulated::Host};

const STAGING: usize = 1024;

fn device() -> Arc<Device> {
    Device::new(Box::new(Host::new(1 << 20, Box::new(|_, _, _, _| Ok(())))))
}

#[test]
fn copies_of_all_sizes_keep_their_order() {
    let mut lane = Lane::new(&device(), STAGING).unwrap();
    let mut plan = Plan::default();
    let size = 10_000;
    let _ = plan.room(size, 1);
    let arena = lane.arena(&plan).unwrap();
    let (mut rng, mut mirror) = (Rng::new(1), vec![0_u8; size]);
    lane.send_bytes(arena, &mirror).unwrap();
    for step in 0..2_000_u32 {
        let most = [40, 300, 512, 3_000][rng.below(4) as usize];
        let count = rng.below(most) as usize;
        let at = rng.below((size - count) as u64) as usize;
        match rng.below(8) {
            0 => {
                let (at, words) = (at / 4 * 4, count / 4);
                lane.fill(arena + at as u64, step, words as u64).unwrap();
                for place in mirror[at..at + words * 4].chunks_mut(4) {
                    place.copy_from_slice(bytemuck::bytes_of(&step));
                }
            }
            1 => {
                let count = count.min(STAGING);
                lane.clear_incoming().unwrap();
                let arriving = lane.receive(Lines::piece(arena + at as u64, count)).unwrap();
                lane.synchronise().unwrap();
                assert_eq!(lane.arrived(arriving), &mirror[at..at + count], "step {step}");
            }
            _ => {
                let bytes: Vec<u8> = (0..count).map(|_| rng.next_u64() as u8).collect();
                lane.send_bytes(arena + at as u64, &bytes).unwrap();
                mirror[at..at + count].copy_from_slice(&bytes);
            }
        }
    }
}

#[test]
fn lines_arrive_one_after_another() {
    let mut lane = Lane::new(&device(), STAGING).unwrap();
    let mut plan = Plan::default();
    let _ = plan.room(64, 16);
    let arena = lane.arena(&plan).unwrap();
    let bytes: Vec<u8> = (0..1024).map(|place| (place / 16) as u8).collect();
    lane.send_bytes(arena, &bytes).unwrap();
    let odd = lane.receive(Lines { from: arena, pitch: 32, width: 3, height: 5 }).unwrap();
    let piece = lane.receive(Lines::piece(arena + 15, 2)).unwrap();
    lane.synchronise().unwrap();
    assert_eq!(lane.arrived(odd), [0, 0, 0, 2, 2, 2, 4, 4, 4, 6, 6, 6, 8, 8, 8]);
    assert_eq!(lane.arrived(piece), [0, 1]);
}

#[test]
fn an_arena_grows_and_what_is_planned_does_not_overlap() {
    let mut lane = Lane::new(&device(), STAGING).unwrap();
    for size in [10, 1_000, 50_000] {
        let mut plan = Plan::default();
        let places: Vec<u64> = (0..5).map(|_| plan.room(size, 3)).collect();
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 3 * size as u64));
        assert!(places.iter().all(|place| place.is_multiple_of(256)));
        let arena = lane.arena(&plan).unwrap();
        lane.fill(arena, 7, plan.bytes() / 4).unwrap();
    }
    lane.synchronise().unwrap();
    let mut plan = Plan::default();
    let _ = plan.room(usize::MAX, usize::MAX);
    assert!(lane.arena(&plan).is_err());
}
