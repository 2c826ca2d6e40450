//! The least recently used goes first, what a search holds counts, and nothing is counted twice or for ever.
use super::Pool;
use elanus_kernels::backend::BackendError;

#[test]
fn the_least_recently_used_goes_first() {
    let pool = Pool::new(100);
    let [a, b] = ["a", "b"].map(|name| pool.insert(40, || Ok(name)).unwrap());
    assert_eq!(a.get().unwrap().memory, "a");
    let c = pool.insert(40, || Ok("c")).unwrap();
    assert_eq!([&a, &b, &c].map(|slot| slot.is_evicted()), [false, true, false]);
    assert_eq!((pool.used(), pool.evictions()), (80, 1));
    assert!(b.get().is_none());
    drop(a);
    assert_eq!(pool.used(), 40);
}

#[test]
fn what_is_held_counts_until_it_is_let_go() {
    let pool = Pool::new(100);
    let slot = pool.insert(80, || Ok(())).unwrap();
    let held = slot.get().unwrap();
    let error = pool.insert(50, || Ok(())).unwrap_err();
    assert!(matches!(error, BackendError::Failed { .. }), "{error}");
    assert!(error.is_device());
    drop(held);
    assert_eq!(pool.used(), 0);
    pool.insert(50, || Ok(())).unwrap();
}

#[test]
fn more_than_the_budget_is_refused_and_failures_count_nothing() {
    let pool = Pool::new(100);
    let error = pool.insert(101, || Ok(())).unwrap_err();
    assert_eq!(error, BackendError::Memory { need: 101, budget: 100 });
    let failed = BackendError::Failed { reason: "no".to_owned() };
    assert_eq!(pool.insert(100, || Err::<(), _>(failed.clone())).unwrap_err(), failed);
    assert_eq!(pool.used(), 0);
}
