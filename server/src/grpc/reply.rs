//! Replies: each carries the status of its request.

use crate::proto::common::Status;
use crate::proto::milvus::*;

/// A message that answers a request.
pub trait Reply: Default + Send + 'static {
    /// Puts the status in.
    fn set_status(&mut self, status: Status);
}

impl Reply for Status {
    fn set_status(&mut self, status: Status) {
        *self = status;
    }
}

macro_rules! replies {
    ($($name:ident)*) => {
        $(impl Reply for $name {
            fn set_status(&mut self, status: Status) {
                self.status = Some(status);
            }
        })*
    };
}

replies! {
    AllocTimestampResponse BatchDescribeCollectionResponse BoolResponse CheckHealthResponse ComponentStates
    ConnectResponse DescribeAliasResponse DescribeCollectionResponse DescribeDatabaseResponse DescribeIndexResponse
    FlushAllResponse FlushResponse GetCollectionStatisticsResponse GetCompactionPlansResponse
    GetCompactionStateResponse GetFlushAllStateResponse GetFlushStateResponse GetIndexBuildProgressResponse
    GetIndexStateResponse GetIndexStatisticsResponse GetLoadStateResponse GetLoadingProgressResponse
    GetPartitionStatisticsResponse GetPersistentSegmentInfoResponse GetQuerySegmentInfoResponse GetVersionResponse
    ListAliasesResponse ListDatabasesResponse ManualCompactionResponse MutationResult QueryResults SearchResults
    ShowCollectionsResponse ShowPartitionsResponse TruncateCollectionResponse
}
