//! The gRPC service: the list of RPCs, and what every one of them goes through.
//!
//! A request is admitted, run on a thread where the engine may block, and answered with a status inside the reply.
//! A gRPC error would be repeated by clients for minutes, so there is none but for RPCs that are not served.

mod admin;
mod alias;
mod call;
mod collection;
mod data;
mod database;
mod index;
mod load;
mod maintain;
mod partition;
mod reply;
mod search;

pub use call::{Call, Service};
pub use reply::Reply;

use crate::proto::common::Status;
use crate::proto::milvus::milvus_service_server::MilvusService;
use crate::proto::milvus::*;

macro_rules! rpcs {
    ($($name:literal $method:ident($request:ty) -> $reply:ty = $handler:path;)*) => {
        /// Names of the RPCs that are served.
        pub const RPCS: &[&str] = &[$($name,)*];

        #[tonic::async_trait]
        impl MilvusService for Service {
            $(async fn $method(
                &self,
                request: tonic::Request<$request>,
            ) -> Result<tonic::Response<$reply>, tonic::Status> {
                Ok(self.run($name, request, $handler).await)
            })*
        }
    };
}

/// RPCs that tell of the server itself: they are answered while all others wait.
const UNQUEUED: [&str; 5] = ["Connect", "GetVersion", "CheckHealth", "AllocTimestamp", "GetComponentStates"];

/// Whether the RPC of that name runs without having to wait for others.
pub fn is_unqueued(rpc: &str) -> bool {
    UNQUEUED.contains(&rpc)
}

rpcs! {
    "Connect" connect(ConnectRequest) -> ConnectResponse = admin::connect;
    "GetVersion" get_version(GetVersionRequest) -> GetVersionResponse = admin::version;
    "CheckHealth" check_health(CheckHealthRequest) -> CheckHealthResponse = admin::health;
    "AllocTimestamp" alloc_timestamp(AllocTimestampRequest) -> AllocTimestampResponse = admin::timestamp;
    "GetComponentStates" get_component_states(GetComponentStatesRequest) -> ComponentStates = admin::components;

    "CreateDatabase" create_database(CreateDatabaseRequest) -> Status = database::create;
    "DropDatabase" drop_database(DropDatabaseRequest) -> Status = database::drop;
    "ListDatabases" list_databases(ListDatabasesRequest) -> ListDatabasesResponse = database::list;
    "DescribeDatabase" describe_database(DescribeDatabaseRequest) -> DescribeDatabaseResponse = database::describe;
    "AlterDatabase" alter_database(AlterDatabaseRequest) -> Status = database::alter;

    "CreateCollection" create_collection(CreateCollectionRequest) -> Status = collection::create;
    "DropCollection" drop_collection(DropCollectionRequest) -> Status = collection::drop;
    "HasCollection" has_collection(HasCollectionRequest) -> BoolResponse = collection::has;
    "DescribeCollection" describe_collection(DescribeCollectionRequest) -> DescribeCollectionResponse
        = collection::describe;
    "BatchDescribeCollection" batch_describe_collection(BatchDescribeCollectionRequest)
        -> BatchDescribeCollectionResponse = collection::describe_many;
    "ShowCollections" show_collections(ShowCollectionsRequest) -> ShowCollectionsResponse = collection::show;
    "AlterCollection" alter_collection(AlterCollectionRequest) -> Status = collection::alter;
    "RenameCollection" rename_collection(RenameCollectionRequest) -> Status = collection::rename;
    "TruncateCollection" truncate_collection(TruncateCollectionRequest) -> TruncateCollectionResponse
        = collection::truncate;
    "GetCollectionStatistics" get_collection_statistics(GetCollectionStatisticsRequest)
        -> GetCollectionStatisticsResponse = collection::statistics;

    "CreatePartition" create_partition(CreatePartitionRequest) -> Status = partition::create;
    "DropPartition" drop_partition(DropPartitionRequest) -> Status = partition::drop;
    "HasPartition" has_partition(HasPartitionRequest) -> BoolResponse = partition::has;
    "ShowPartitions" show_partitions(ShowPartitionsRequest) -> ShowPartitionsResponse = partition::show;
    "GetPartitionStatistics" get_partition_statistics(GetPartitionStatisticsRequest) -> GetPartitionStatisticsResponse
        = partition::statistics;

    "CreateAlias" create_alias(CreateAliasRequest) -> Status = alias::create;
    "DropAlias" drop_alias(DropAliasRequest) -> Status = alias::drop;
    "AlterAlias" alter_alias(AlterAliasRequest) -> Status = alias::alter;
    "DescribeAlias" describe_alias(DescribeAliasRequest) -> DescribeAliasResponse = alias::describe;
    "ListAliases" list_aliases(ListAliasesRequest) -> ListAliasesResponse = alias::list;

    "CreateIndex" create_index(CreateIndexRequest) -> Status = index::create;
    "DescribeIndex" describe_index(DescribeIndexRequest) -> DescribeIndexResponse = index::describe;
    "GetIndexState" get_index_state(GetIndexStateRequest) -> GetIndexStateResponse = index::state;
    "GetIndexBuildProgress" get_index_build_progress(GetIndexBuildProgressRequest) -> GetIndexBuildProgressResponse
        = index::progress;
    "GetIndexStatistics" get_index_statistics(GetIndexStatisticsRequest) -> GetIndexStatisticsResponse
        = index::statistics;
    "DropIndex" drop_index(DropIndexRequest) -> Status = index::drop;

    "LoadCollection" load_collection(LoadCollectionRequest) -> Status = load::collection;
    "ReleaseCollection" release_collection(ReleaseCollectionRequest) -> Status = load::release_collection;
    "LoadPartitions" load_partitions(LoadPartitionsRequest) -> Status = load::partitions;
    "ReleasePartitions" release_partitions(ReleasePartitionsRequest) -> Status = load::release_partitions;
    "GetLoadingProgress" get_loading_progress(GetLoadingProgressRequest) -> GetLoadingProgressResponse = load::progress;
    "GetLoadState" get_load_state(GetLoadStateRequest) -> GetLoadStateResponse = load::state;

    "Insert" insert(InsertRequest) -> MutationResult = data::insert;
    "Upsert" upsert(UpsertRequest) -> MutationResult = data::upsert;
    "Delete" delete(DeleteRequest) -> MutationResult = data::delete;

    "Search" search(SearchRequest) -> SearchResults = search::search;
    "HybridSearch" hybrid_search(HybridSearchRequest) -> SearchResults = search::hybrid;
    "Query" query(QueryRequest) -> QueryResults = search::query;

    "Flush" flush(FlushRequest) -> FlushResponse = maintain::flush;
    "FlushAll" flush_all(FlushAllRequest) -> FlushAllResponse = maintain::flush_all;
    "GetFlushState" get_flush_state(GetFlushStateRequest) -> GetFlushStateResponse = maintain::flush_state;
    "GetFlushAllState" get_flush_all_state(GetFlushAllStateRequest) -> GetFlushAllStateResponse
        = maintain::flush_all_state;
    "ManualCompaction" manual_compaction(ManualCompactionRequest) -> ManualCompactionResponse = maintain::compact;
    "GetCompactionState" get_compaction_state(GetCompactionStateRequest) -> GetCompactionStateResponse
        = maintain::compaction_state;
    "GetCompactionStateWithPlans" get_compaction_state_with_plans(GetCompactionPlansRequest)
        -> GetCompactionPlansResponse = maintain::compaction_plans;
    "GetPersistentSegmentInfo" get_persistent_segment_info(GetPersistentSegmentInfoRequest)
        -> GetPersistentSegmentInfoResponse = maintain::persistent_segments;
    "GetQuerySegmentInfo" get_query_segment_info(GetQuerySegmentInfoRequest) -> GetQuerySegmentInfoResponse
        = maintain::query_segments;
}

#[cfg(test)]
mod tests;
