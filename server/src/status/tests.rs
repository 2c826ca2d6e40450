//! Every code reaches clients in both numbers.

use super::{CODES, Code, Failure, Legacy, code};
use crate::proto::common::Status;
use elanus::{ErrorKind, Subject};

#[test]
fn no_code_looks_like_success() {
    for &code in CODES {
        let status = Status::from(&Failure::of(code, "the reason"));
        assert_eq!(status.code, code.number());
        assert_ne!(status.code, 0, "{code:?}");
        assert_ne!(status.error_code, 0, "{code:?}");
        assert_eq!(status.reason, "the reason");
        assert!((400..600).contains(&code.http()), "{code:?}");
    }
}

#[test]
fn a_reason_with_a_name_as_long_as_a_request_is_cut_short() {
    let long = Failure::parameter("\u{e4}".repeat(1 << 20));
    assert!(long.reason().len() < 2000);
    assert!(long.reason().ends_with("... (2097152 bytes in all)"), "{long}");
    let just = "x".repeat(1500);
    assert_eq!(Failure::parameter(just.clone()).reason(), just);
}

#[test]
fn numbers_are_unique_and_in_order() {
    let numbers: Vec<i32> = CODES.iter().map(|code| code.number()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

#[test]
fn clients_tell_special_cases_by_the_numbers() {
    let status = |code| Status::from(&Failure::of(code, ""));
    assert_eq!(status(Code::CollectionNotFound).code, 100);
    assert_eq!(status(Code::CollectionNotFound).error_code, 4);
    assert_eq!(status(Code::IndexNotFound).code, 700);
    assert_eq!(status(Code::IndexNotFound).error_code, 25);
    assert_eq!(status(Code::SchemaMismatch).error_code, 62);
    assert_eq!(status(Code::ParameterInvalid).error_code, Legacy::IllegalArgument as i32);
    assert_eq!(status(Code::AliasNotFound).code, 1600);
}

#[test]
fn no_failure_is_taken_for_an_empty_collection_and_one_for_a_rate_limit() {
    // 26 makes a client report no rows, 8 and 49 make it try again for long, 28 makes it ask in another way.
    for &code in CODES {
        assert_ne!(code.number(), 26, "{code:?}");
        assert!(![26, 28].contains(&(code.legacy() as i32)), "{code:?}");
        assert_eq!(code.number() == 8, code == Code::RateLimit, "{code:?}");
        assert_eq!(code.legacy() as i32 == 49, code == Code::RateLimit, "{code:?}");
    }
    assert!(Code::RateLimit.is_retriable());
    assert_eq!(Code::RateLimit.http(), 429);
}

#[test]
fn input_errors_say_so_and_are_not_to_be_repeated() {
    for &code in CODES {
        let status = Status::from(&Failure::of(code, ""));
        let input = status.extra_info.get("is_input_error").is_some_and(|flag| flag == "true");
        assert_eq!(input, code.is_input(), "{code:?}");
        assert!(!(input && status.retriable), "{code:?}");
    }
    assert!(Status::from(&Failure::of(Code::RequestLimit, "")).retriable);
}

const KINDS: [ErrorKind; 10] = [
    ErrorKind::InvalidArgument,
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::Conflict,
    ErrorKind::Unavailable,
    ErrorKind::Exhausted,
    ErrorKind::Cancelled,
    ErrorKind::Corrupt,
    ErrorKind::Unsupported,
    ErrorKind::Internal,
];

const SUBJECTS: [Subject; 17] = [
    Subject::Database,
    Subject::Collection,
    Subject::NotLoaded,
    Subject::Partition,
    Subject::Index,
    Subject::IndexParameter,
    Subject::Alias,
    Subject::Field,
    Subject::Schema,
    Subject::Data,
    Subject::Expression,
    Subject::Parameter,
    Subject::Timestamp,
    Subject::Memory,
    Subject::Disk,
    Subject::Request,
    Subject::Engine,
];

#[test]
fn who_must_act_is_the_same_for_the_engine_and_for_clients() {
    for subject in SUBJECTS {
        for kind in KINDS {
            let code = code(kind, subject);
            match kind {
                ErrorKind::InvalidArgument
                | ErrorKind::NotFound
                | ErrorKind::AlreadyExists
                | ErrorKind::Conflict
                | ErrorKind::Unsupported => assert!(code.is_input(), "{kind:?} {subject:?}"),
                ErrorKind::Unavailable | ErrorKind::Cancelled => assert!(code.is_retriable(), "{kind:?} {subject:?}"),
                ErrorKind::Corrupt | ErrorKind::Internal => {
                    assert!(!code.is_input() && !code.is_retriable(), "{kind:?} {subject:?}");
                }
                ErrorKind::Exhausted => assert_ne!(code, Code::Internal, "{subject:?}"),
            }
        }
    }
}

#[test]
fn errors_of_the_engine_have_milvuss_codes() {
    let table = [
        (ErrorKind::NotFound, Subject::Collection, Code::CollectionNotFound),
        (ErrorKind::NotFound, Subject::Database, Code::DatabaseNotFound),
        (ErrorKind::NotFound, Subject::Partition, Code::PartitionNotFound),
        (ErrorKind::NotFound, Subject::Index, Code::IndexNotFound),
        (ErrorKind::NotFound, Subject::Alias, Code::AliasNotFound),
        (ErrorKind::NotFound, Subject::Field, Code::FieldNotFound),
        (ErrorKind::InvalidArgument, Subject::NotLoaded, Code::CollectionNotLoaded),
        (ErrorKind::InvalidArgument, Subject::Expression, Code::ParameterInvalid),
        (ErrorKind::AlreadyExists, Subject::Alias, Code::AliasExists),
        (ErrorKind::Conflict, Subject::Alias, Code::AliasCollectionNameConflict),
        (ErrorKind::AlreadyExists, Subject::Index, Code::IndexDuplicate),
        (ErrorKind::Conflict, Subject::Index, Code::ParameterInvalid),
        (ErrorKind::Conflict, Subject::Schema, Code::SchemaMismatch),
        (ErrorKind::Exhausted, Subject::Disk, Code::DiskLimit),
        (ErrorKind::Exhausted, Subject::Memory, Code::MemoryLimit),
        (ErrorKind::Exhausted, Subject::Request, Code::RateLimit),
    ];
    for (kind, subject, want) in table {
        assert_eq!(code(kind, subject), want, "{kind:?} {subject:?}");
    }
    let failure = Failure::from(elanus::Error::new(ErrorKind::NotFound, Subject::Collection, "no collection c"));
    assert_eq!((failure.code(), failure.reason()), (Code::CollectionNotFound, "no collection c"));
}
