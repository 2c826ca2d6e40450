//! The server itself: connection, version, health, time.

use super::Call;
use crate::proto::common::{ServerInfo, StateCode};
use crate::proto::milvus::{
    AllocTimestampRequest, AllocTimestampResponse, CheckHealthRequest, CheckHealthResponse, ComponentInfo,
    ComponentStates, ConnectRequest, ConnectResponse, GetComponentStatesRequest, GetVersionRequest, GetVersionResponse,
};
use crate::status::Failure;

/// The version of Milvus whose protocol is spoken, and ours behind it: clients that compare versions read the first.
pub(super) const VERSION: &str = concat!("3.0.0-elanus-", env!("CARGO_PKG_VERSION"));

pub(super) fn connect(call: &Call, _request: ConnectRequest) -> Result<ConnectResponse, Failure> {
    let server_info =
        ServerInfo { build_tags: VERSION.to_owned(), deploy_mode: "STANDALONE".to_owned(), ..ServerInfo::default() };
    // A timestamp is given out once only, which is all that a client's identifier must be.
    let identifier = i64::try_from(call.db.timestamp()).unwrap_or(i64::MAX);
    Ok(ConnectResponse { status: None, server_info: Some(server_info), identifier })
}

pub(super) fn version(_call: &Call, _request: GetVersionRequest) -> Result<GetVersionResponse, Failure> {
    Ok(GetVersionResponse { status: None, version: VERSION.to_owned() })
}

pub(super) fn health(_call: &Call, _request: CheckHealthRequest) -> Result<CheckHealthResponse, Failure> {
    Ok(CheckHealthResponse { is_healthy: true, ..CheckHealthResponse::default() })
}

pub(super) fn timestamp(call: &Call, _request: AllocTimestampRequest) -> Result<AllocTimestampResponse, Failure> {
    Ok(AllocTimestampResponse { status: None, timestamp: call.db.timestamp() })
}

pub(super) fn components(_call: &Call, _request: GetComponentStatesRequest) -> Result<ComponentStates, Failure> {
    let state = ComponentInfo {
        role: "standalone".to_owned(),
        state_code: StateCode::Healthy.into(),
        ..ComponentInfo::default()
    };
    Ok(ComponentStates { state: Some(state), ..ComponentStates::default() })
}
