//! What is taken, what is refused and in which words, over families made up for the test.
use super::*;
use elanus_kernels::backend::{Corpus, Cpu, Find, Queries, Resident, Speed};
use elanus_kernels::{AnyRows, Metric, TopK};
use std::time::Duration;

/// The CPU under the name of a card.
#[derive(Debug)]
struct Card(Cpu, Caps);

impl Backend for Card {
    fn caps(&self) -> &Caps {
        &self.1
    }

    fn upload(&self, corpus: Corpus<'_>) -> Result<Arc<dyn Resident>, BackendError> {
        self.0.upload(corpus)
    }

    fn scan(&self, q: Queries<'_>, held: &dyn Resident, find: &Find<'_>, out: &mut [TopK]) -> Result<(), BackendError> {
        self.0.scan(q, held, find, out)
    }

    fn assign(
        &self,
        rows: AnyRows<'_>,
        held: &dyn Resident,
        metric: Metric,
        nearest: &mut [u32],
        keys: &mut [f32],
    ) -> Result<(), BackendError> {
        self.0.assign(rows, held, metric, nearest, keys)
    }

    fn distances(
        &self,
        rows: AnyRows<'_>,
        held: &dyn Resident,
        metric: Metric,
        keys: &mut [f32],
    ) -> Result<(), BackendError> {
        self.0.distances(rows, held, metric, keys)
    }

    fn measure(&self, clock: &dyn Fn() -> Duration) -> Result<Speed, BackendError> {
        self.0.measure(clock)
    }
}

fn caps(kind: DeviceKind, ordinal: usize, what: &str) -> Caps {
    let limits = vec![("type", what.to_owned())];
    Caps { kind, ordinal, name: format!("{kind} card"), limits, ..Cpu::new().caps().clone() }
}

fn card(kind: DeviceKind, ordinal: usize, budget: Option<u64>) -> Arc<dyn Backend> {
    let caps = Caps { budget_bytes: budget.unwrap_or(77), ..caps(kind, ordinal, "discrete") };
    Arc::new(Card(Cpu::new(), caps))
}

const CUDA: Family = Family {
    kind: DeviceKind::Cuda,
    list: || vec![caps(DeviceKind::Cuda, 0, "discrete"), caps(DeviceKind::Cuda, 1, "discrete")],
    open: |ordinal, budget| Ok(card(DeviceKind::Cuda, ordinal, budget)),
};
const BROKEN: Family =
    Family { open: |_, _| Err(BackendError::Failed { reason: "the driver is too old".to_owned() }), ..CUDA };
const WGPU: Family = Family {
    kind: DeviceKind::Wgpu,
    list: || vec![caps(DeviceKind::Wgpu, 0, "cpu"), caps(DeviceKind::Wgpu, 1, "integrated")],
    open: |ordinal, budget| Ok(card(DeviceKind::Wgpu, ordinal, budget)),
};
const NOTHING: Family = Family { list: Vec::new, ..CUDA };

fn place(text: &str, families: &[Family]) -> Result<Option<String>, String> {
    let choice: Choice = text.parse().map_err(|error: ChoiceError| error.to_string())?;
    assert_eq!(choice.to_string().parse(), Ok(choice));
    let opened = open(choice, None, families).map_err(|error| error.to_string())?;
    Ok(opened.backend.map(|backend| backend.caps().place()))
}

fn is(place: &str) -> Result<Option<String>, String> {
    Ok(Some(place.to_owned()))
}

#[test]
fn auto_takes_the_first_real_card() {
    assert_eq!(place("auto", &[CUDA, WGPU]), is("cuda:0"));
    assert_eq!(place("auto", &[NOTHING, WGPU]), is("wgpu:1"));
    assert_eq!(place("auto", &[NOTHING]), Ok(None));
    assert_eq!(place("auto", &[]), Ok(None));
    assert_eq!(place("off", &[CUDA, WGPU]), Ok(None));
    let opened = open(Choice::Auto, Some(5), &[BROKEN, WGPU]).unwrap();
    assert_eq!(opened.backend.unwrap().caps().budget_bytes, 5);
    let refused: Vec<&str> = opened.refused.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(refused, ["cuda:0", "cuda:1"]);
}

#[test]
fn a_named_device_is_that_one_or_an_error() {
    assert_eq!(place("cuda:1", &[CUDA, WGPU]), is("cuda:1"));
    assert_eq!(place("wgpu:0", &[CUDA, WGPU]), is("wgpu:0"));
    assert_eq!(place("cuda", &[CUDA]), is("cuda:0"));
    let refused = |text: &str, families: &[Family]| place(text, families).unwrap_err();
    assert_eq!(refused("cuda:0", &[]), "this build has no backend cuda, nor any other");
    assert_eq!(refused("cuda:0", &[WGPU]), "this build has no backend cuda, only wgpu");
    assert_eq!(refused("cuda:0", &[NOTHING]), "there is no device cuda:0: none was found on this machine");
    let text = refused("wgpu:7", &[NOTHING, WGPU]);
    assert_eq!(text, "there is no device wgpu:7, only wgpu:0 (wgpu card), wgpu:1 (wgpu card)");
    assert_eq!(refused("cuda:0", &[BROKEN]), "device cuda:0 cannot be used");
    let error = open(Choice::Named { kind: DeviceKind::Cuda, ordinal: 0 }, None, &[BROKEN]).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("too old"));
    for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "Auto", "cuda:0:1"] {
        assert!(refused(text, &[CUDA]).contains("names no device"), "{text}");
    }
}
