//! Small programs, as text, that hosts run.

/// A `wasi:http/proxy` that answers GET with this status and an empty body, traps at POST, and
/// computes forever at PUT.
pub fn proxy(status: u16) -> String {
    format!(
        r#"(component
  (import "wasi:http/types@0.2.0" (instance $types
    {TYPES}
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]incoming-request.method"
      (func (param "self" (borrow $incoming-request)) (result $method)))
    (export "[constructor]outgoing-response"
      (func (param "headers" (own $fields)) (result (own $outgoing-response))))
    (export "[method]outgoing-response.set-status-code"
      (func (param "self" (borrow $outgoing-response)) (param "status-code" u16) (result (result))))
    (export "[static]response-outparam.set"
      (func (param "param" (own $response-outparam))
        (param "response" (result (own $outgoing-response) (error $error-code)))))
  ))
  (alias export $types "incoming-request" (type $incoming-request))
  (alias export $types "response-outparam" (type $response-outparam))
  (core module $libc
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $fields (canon lower (func $types "[constructor]fields")))
  (core func $method (canon lower (func $types "[method]incoming-request.method")
    (memory $memory) (realloc $realloc)))
  (core func $response (canon lower (func $types "[constructor]outgoing-response")))
  (core func $status (canon lower (func $types "[method]outgoing-response.set-status-code")))
  (core func $set (canon lower (func $types "[static]response-outparam.set") (memory $memory)))
  (core module $main
    (import "host" "memory" (memory 1))
    (import "host" "fields" (func $fields (result i32)))
    (import "host" "method" (func $method (param i32 i32)))
    (import "host" "response" (func $response (param i32) (result i32)))
    (import "host" "status" (func $status (param i32 i32) (result i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (func (export "handle") (param $request i32) (param $outparam i32)
      (local $response i32)
      (call $method (local.get $request) (i32.const 0))
      (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 2)) (then unreachable))
      (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 3)) (then (loop (br 0))))
      (local.set $response (call $response (call $fields)))
      (drop (call $status (local.get $response) (i32.const {status})))
      (call $set (local.get $outparam) (i32.const 0) (local.get $response) (i32.const 0)
        (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
  (core instance $main (instantiate $main (with "host" (instance
    (export "memory" (memory $memory))
    (export "fields" (func $fields))
    (export "method" (func $method))
    (export "response" (func $response))
    (export "status" (func $status))
    (export "set" (func $set))))))
  (func $handle (param "request" (own $incoming-request))
    (param "response-out" (own $response-outparam))
    (canon lift (core func $main "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#
    )
}

/// The items of `wasi:http/types` that the functions above use.
const TYPES: &str = r#"
    (export "fields" (type $fields (sub resource)))
    (export "incoming-request" (type $incoming-request (sub resource)))
    (export "outgoing-response" (type $outgoing-response (sub resource)))
    (export "response-outparam" (type $response-outparam (sub resource)))
    (type $method-type (variant (case "get") (case "head") (case "post") (case "put") (case "delete")
      (case "connect") (case "options") (case "trace") (case "patch") (case "other" string)))
    (export "method" (type $method (eq $method-type)))
    (type $dns-type (record (field "rcode" (option string)) (field "info-code" (option u16))))
    (export "DNS-error-payload" (type $dns (eq $dns-type)))
    (type $tls-type
      (record (field "alert-id" (option u8)) (field "alert-message" (option string))))
    (export "TLS-alert-received-payload" (type $tls (eq $tls-type)))
    (type $field-type
      (record (field "field-name" (option string)) (field "field-size" (option u32))))
    (export "field-size-payload" (type $field (eq $field-type)))
    (type $error-type (variant (case "DNS-timeout") (case "DNS-error" $dns)
      (case "destination-not-found") (case "destination-unavailable")
      (case "destination-IP-prohibited") (case "destination-IP-unroutable")
      (case "connection-refused") (case "connection-terminated") (case "connection-timeout")
      (case "connection-read-timeout") (case "connection-write-timeout")
      (case "connection-limit-reached") (case "TLS-protocol-error") (case "TLS-certificate-error")
      (case "TLS-alert-received" $tls) (case "HTTP-request-denied")
      (case "HTTP-request-length-required") (case "HTTP-request-body-size" (option u64))
      (case "HTTP-request-method-invalid") (case "HTTP-request-URI-invalid")
      (case "HTTP-request-URI-too-long") (case "HTTP-request-header-section-size" (option u32))
      (case "HTTP-request-header-size" (option $field))
      (case "HTTP-request-trailer-section-size" (option u32))
      (case "HTTP-request-trailer-size" $field) (case "HTTP-response-incomplete")
      (case "HTTP-response-header-section-size" (option u32))
      (case "HTTP-response-header-size" $field) (case "HTTP-response-body-size" (option u64))
      (case "HTTP-response-trailer-section-size" (option u32))
      (case "HTTP-response-trailer-size" $field)
      (case "HTTP-response-transfer-coding" (option string))
      (case "HTTP-response-content-coding" (option string)) (case "HTTP-response-timeout")
      (case "HTTP-upgrade-failed") (case "HTTP-protocol-error") (case "loop-detected")
      (case "configuration-error") (case "internal-error" (option string))))
    (export "error-code" (type $error-code (eq $error-type)))"#;

/// A component with two functions: `answer` returns this number, and `spin` never ends. Its memory
/// has this many pages.
pub fn answer(number: u32, pages: u32) -> String {
    format!(
        r#"(component
  (core module $m
    (memory (export "memory") {pages})
    (func (export "answer") (result i32) i32.const {number})
    (func (export "spin") (loop (br 0))))
  (core instance $i (instantiate $m))
  (func (export "answer") (result u32) (canon lift (core func $i "answer")))
  (func (export "spin") (canon lift (core func $i "spin"))))"#
    )
}

/// A core module that needs the collector. Its function `f` returns 7.
pub const COLLECTED: &str = r#"(module (type $s (struct (field i32)))
    (func (export "f") (result i32) (struct.get $s 0 (struct.new $s (i32.const 7)))))"#;
