//! A whole server over the loopback interface: a client's session, what is not served, health, and the stop.

use super::{Server, ServerError};
use crate::config::ServeArgs;
use crate::proto::common::{KeyValuePair, PlaceholderGroup, PlaceholderType, PlaceholderValue};
use crate::proto::milvus::milvus_service_client::MilvusServiceClient;
use crate::proto::milvus::search_request::SearchInput;
use crate::proto::milvus::*;
use crate::proto::schema::field_data::Field as Kind;
use crate::proto::schema::i_ds::IdField;
use crate::proto::schema::scalar_field::Data as Scalar;
use crate::proto::schema::vector_field::Data as Vector;
use crate::proto::schema::{CollectionSchema, FieldData, FieldSchema, FloatArray, LongArray, ScalarField, VectorField};
use elanus::Db;
use prost::Message;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::Channel;

const ROWS: usize = 40;
const LIMIT: Duration = Duration::from_secs(20);

type Client = MilvusServiceClient<Channel>;

fn args() -> ServeArgs {
    ServeArgs::with_defaults(Path::new("unused"), "127.0.0.1:0", "127.0.0.1:0")
}

async fn start() -> Server {
    Server::start(&args(), Db::in_memory).await.unwrap()
}

async fn client(server: &Server) -> Client {
    let uri = format!("http://{}", server.grpc_address());
    MilvusServiceClient::new(Channel::from_shared(uri).unwrap().connect().await.unwrap())
}

fn param(key: &str, value: &str) -> KeyValuePair {
    KeyValuePair { key: key.into(), value: value.into() }
}

fn schema() -> Vec<u8> {
    let id = FieldSchema { name: "id".into(), data_type: 5, is_primary_key: true, ..FieldSchema::default() };
    let vector = FieldSchema {
        name: "vec".into(),
        data_type: 101,
        type_params: vec![param("dim", "2")],
        ..FieldSchema::default()
    };
    CollectionSchema { name: "c".into(), fields: vec![id, vector], ..CollectionSchema::default() }.encode_to_vec()
}

async fn collection(client: &mut Client) {
    let create = CreateCollectionRequest { collection_name: "c".into(), schema: schema(), ..Default::default() };
    assert_eq!(client.create_collection(create).await.unwrap().into_inner().code, 0);
    let index = CreateIndexRequest {
        collection_name: "c".into(),
        field_name: "vec".into(),
        extra_params: vec![param("index_type", "FLAT"), param("metric_type", "L2")],
        ..Default::default()
    };
    assert_eq!(client.create_index(index).await.unwrap().into_inner().code, 0);
    let load = LoadCollectionRequest { collection_name: "c".into(), ..Default::default() };
    assert_eq!(client.load_collection(load).await.unwrap().into_inner().code, 0);
}

fn rows() -> InsertRequest {
    let ids = (0..ROWS as i64).collect();
    let vectors = (0..ROWS).flat_map(|row| [row as f32, 0.0]).collect();
    let scalars = Kind::Scalars(ScalarField { data: Some(Scalar::LongData(LongArray { data: ids })) });
    let data = Some(Vector::FloatVector(FloatArray { data: vectors }));
    InsertRequest {
        collection_name: "c".into(),
        num_rows: ROWS as u32,
        fields_data: vec![
            FieldData { r#type: 5, field_name: "id".into(), field: Some(scalars), ..Default::default() },
            FieldData {
                r#type: 101,
                field_name: "vec".into(),
                field: Some(Kind::Vectors(VectorField { dim: 2, data })),
                ..Default::default()
            },
        ],
        ..Default::default()
    }
}

fn search(query: [f32; 2], limit: &str) -> SearchRequest {
    let values = vec![query.iter().flat_map(|one| one.to_le_bytes()).collect()];
    let placeholder = PlaceholderValue { r#type: PlaceholderType::FloatVector.into(), values, ..Default::default() };
    let group = PlaceholderGroup { placeholders: vec![placeholder] };
    SearchRequest {
        collection_name: "c".into(),
        dsl_type: 1,
        nq: 1,
        search_input: Some(SearchInput::PlaceholderGroup(group.encode_to_vec())),
        search_params: vec![param("topk", limit), param("anns_field", "vec")],
        ..Default::default()
    }
}

async fn count(client: &mut Client) -> Vec<i64> {
    let query =
        QueryRequest { collection_name: "c".into(), output_fields: vec!["count(*)".into()], ..Default::default() };
    let reply = client.query(query).await.unwrap().into_inner();
    assert_eq!(reply.status.unwrap().code, 0);
    match &reply.fields_data[0].field {
        Some(Kind::Scalars(ScalarField { data: Some(Scalar::LongData(counts)) })) => counts.data.clone(),
        other => panic!("no count: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session() {
    let server = start().await;
    let mut client = client(&server).await;
    let connected = client.connect(ConnectRequest::default()).await.unwrap().into_inner();
    assert!(connected.identifier > 0);
    assert!(connected.server_info.unwrap().build_tags.starts_with("3.0.0"));
    collection(&mut client).await;
    let written = client.insert(rows()).await.unwrap().into_inner();
    assert_eq!((written.status.unwrap().code, written.insert_cnt), (0, ROWS as i64));
    assert!(matches!(written.i_ds.unwrap().id_field, Some(IdField::IntId(ids)) if ids.data.len() == ROWS));
    let found = client.search(search([7.2, 0.0], "3")).await.unwrap().into_inner();
    assert_eq!(found.status.unwrap().code, 0);
    assert!(found.session_ts >= written.timestamp);
    let data = found.results.unwrap();
    assert!(matches!(data.ids.unwrap().id_field, Some(IdField::IntId(ids)) if ids.data == [7, 8, 6]));
    let delete = DeleteRequest { collection_name: "c".into(), expr: "id in [7, 8]".into(), ..Default::default() };
    let deleted = client.delete(delete).await.unwrap().into_inner();
    assert_eq!((deleted.delete_cnt, deleted.i_ds), (2, None));
    assert_eq!(count(&mut client).await, [ROWS as i64 - 2]);
    server.stop(LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_travel_in_the_status() {
    let server = start().await;
    let mut client = client(&server).await;
    let reply = client.search(search([0.0, 0.0], "3")).await.unwrap().into_inner();
    let status = reply.status.unwrap();
    assert_eq!((status.code, status.error_code), (100, 4));
    assert!(status.reason.contains('c'), "{}", status.reason);
    collection(&mut client).await;
    let mut wrong = rows();
    wrong.num_rows = 3;
    let status = client.insert(wrong).await.unwrap().into_inner().status.unwrap();
    assert_eq!(status.code, 1100);
    assert!(status.reason.contains("field id"), "{}", status.reason);
    assert_eq!(count(&mut client).await, [0]);
    server.stop(LIMIT).await.unwrap();
}

async fn raw(channel: Channel, path: &str) -> tonic::Status {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let codec: tonic_prost::ProstCodec<GetVersionRequest, GetVersionResponse> = tonic_prost::ProstCodec::default();
    let path = path.parse().unwrap();
    grpc.unary(tonic::Request::new(GetVersionRequest {}), path, codec).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rpcs_that_are_not_served_are_named() {
    let server = start().await;
    let uri = format!("http://{}", server.grpc_address());
    let channel = Channel::from_shared(uri).unwrap().connect().await.unwrap();
    for path in ["/milvus.proto.milvus.MilvusService/RunAnalyzer", "/no.such.Service/RunAnalyzer"] {
        let status = raw(channel.clone(), path).await;
        assert_eq!(status.code(), tonic::Code::Unimplemented, "{path}");
        assert!(status.message().contains("RunAnalyzer"), "{path}: {status}");
    }
    server.stop(LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_requests_of_one_connection_wait_for_each_other_and_all_are_answered() {
    let args = ServeArgs { concurrency: 2, queue: 1, request_memory: 4, ..args() };
    let server = Server::start(&args, Db::in_memory).await.unwrap();
    let client = client(&server).await;
    let name = "x".repeat(3 << 20);
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let mut client = client.clone();
            let request = InsertRequest { collection_name: name.clone(), ..InsertRequest::default() };
            tokio::spawn(async move { client.insert(request).await.unwrap().into_inner().status.unwrap().code })
        })
        .collect();
    for call in calls {
        let code = tokio::time::timeout(LIMIT, call).await.unwrap().unwrap();
        assert!([8, 100].contains(&code), "{code}");
    }
    let metrics = page(server.http_address(), "/metrics").await;
    assert!(metrics.contains("elanus_requests_held 0") && metrics.contains("elanus_request_bytes 0"), "{metrics}");
    server.stop(LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_cannot_be_read_are_not_to_be_repeated() {
    let server = start().await;
    let mut client = client(&server).await;
    let request = QueryRequest { expr: "x".repeat(256 << 20), ..QueryRequest::default() };
    let status = client.query(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted, "{status}");
    server.stop(LIMIT).await.unwrap();
}

async fn page(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_metrics() {
    let server = start().await;
    let address = server.http_address();
    let health = page(address, "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200") && health.ends_with("OK"), "{health}");
    let mut client = client(&server).await;
    client.get_version(GetVersionRequest {}).await.unwrap();
    let metrics = page(address, "/metrics").await;
    assert!(metrics.contains("elanus_requests_total{rpc=\"GetVersion\",code=\"0\"} 1"), "{metrics}");
    assert!(metrics.contains("elanus_databases 1"), "{metrics}");
    assert!(page(address, "/other").await.starts_with("HTTP/1.1 404"));
    server.stop(LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server_takes_no_connection() {
    let server = start().await;
    let (grpc, http) = (server.grpc_address(), server.http_address());
    let mut idle = client(&server).await;
    idle.get_version(GetVersionRequest {}).await.unwrap();
    server.stop(LIMIT).await.unwrap();
    assert!(TcpStream::connect(grpc).await.is_err());
    assert!(TcpStream::connect(http).await.is_err());
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let server = start().await;
    let taken = server.grpc_address().to_string();
    let args = ServeArgs::with_defaults(Path::new("unused"), &taken, "127.0.0.1:0");
    let error = Server::start(&args, Db::in_memory).await.unwrap_err();
    assert!(matches!(&error, ServerError::Listen { .. }) && error.to_string().contains(&taken), "{error}");
    server.stop(LIMIT).await.unwrap();
}
