;; A program that does what a host must survive. The first letter of the path says what:
;;
;;   /a  answers "ok"                         /l  computes for ever
;;   /m  takes memory until it gets no more   /h  makes handles for ever
;;   /b  writes a body for ever               /t  traps
;;   /s  waits for a minute                   /w  waits for a quarter of a second, then answers
;;   /r  reads the whole request, then answers
;;   /i  answers with a status that ends no request
;;   /p  begins a body, and does not finish it. The next letter says why not: l, t, h and s as
;;       above, d returns, e drops the body
;;   /g  adds header fields for ever          /c  makes sockets until it gets no more, then does /w
;;   /f  answers with the fields of the request, one a line
(component $hostile
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer $hostile $pollable (type $outer))
    (export "pollable" (type $pollable (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (import "wasi:io/error@0.2.0" (instance $io-error
    (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer $hostile $error (type $outer))
    (export "error" (type $error (eq $outer)))
    (export "output-stream" (type $output-stream (sub resource)))
    (export "input-stream" (type $input-stream (sub resource)))
    (type $stream-error-type (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error-type)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output-stream)) (param "contents" (list u8))
        (result (result (error $stream-error)))))
    (export "[method]input-stream.blocking-read"
      (func (param "self" (borrow $input-stream)) (param "len" u64)
        (result (result (list u8) (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (alias export $streams "input-stream" (type $input-stream))
  (import "wasi:sockets/network@0.2.0" (instance $network
    (type $code-type (enum "unknown" "access-denied" "not-supported" "invalid-argument"
      "out-of-memory" "timeout" "concurrency-conflict" "not-in-progress" "would-block"
      "invalid-state" "new-socket-limit" "address-not-bindable" "address-in-use"
      "remote-unreachable" "connection-refused" "connection-reset" "connection-aborted"
      "datagram-too-large" "name-unresolvable" "temporary-resolver-failure"
      "permanent-resolver-failure"))
    (export "error-code" (type (eq $code-type)))
    (type $family-type (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $family-type)))))
  (alias export $network "error-code" (type $socket-error))
  (alias export $network "ip-address-family" (type $family))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp
    (export "tcp-socket" (type (sub resource)))))
  (alias export $tcp "tcp-socket" (type $tcp-socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $tcp-create-socket
    (alias outer $hostile $socket-error (type $outer-error))
    (export "error-code" (type $error-code (eq $outer-error)))
    (alias outer $hostile $family (type $outer-family))
    (export "ip-address-family" (type $address-family (eq $outer-family)))
    (alias outer $hostile $tcp-socket (type $outer-socket))
    (export "tcp-socket" (type $socket (eq $outer-socket)))
    (export "create-tcp-socket" (func (param "address-family" $address-family)
      (result (result (own $socket) (error $error-code)))))))
  (import "wasi:http/types@0.2.0" (instance $types
    (alias outer $hostile $output-stream (type $outer))
    (export "output-stream" (type $output-stream (eq $outer)))
    (alias outer $hostile $input-stream (type $outer-input))
    (export "input-stream" (type $input-stream (eq $outer-input)))
    (export "fields" (type $fields (sub resource)))
    (export "incoming-request" (type $incoming-request (sub resource)))
    (export "outgoing-response" (type $outgoing-response (sub resource)))
    (export "response-outparam" (type $response-outparam (sub resource)))
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
    (export "error-code" (type $error-code (eq $error-type)))
    (export "incoming-body" (type $incoming-body (sub resource)))
    (export "outgoing-body" (type $outgoing-body (sub resource)))
    (export "[method]incoming-request.consume"
      (func (param "self" (borrow $incoming-request)) (result (result (own $incoming-body)))))
    (export "[method]incoming-body.stream"
      (func (param "self" (borrow $incoming-body)) (result (result (own $input-stream)))))
    (export "[constructor]fields" (func (result (own $fields))))
    (type $header-type (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $header-error (eq $header-type)))
    (export "[method]fields.append"
      (func (param "self" (borrow $fields)) (param "name" string) (param "value" (list u8))
        (result (result (error $header-error)))))
    (export "[method]fields.entries"
      (func (param "self" (borrow $fields)) (result (list (tuple string (list u8))))))
    (export "[method]incoming-request.headers"
      (func (param "self" (borrow $incoming-request)) (result (own $fields))))
    (export "[method]incoming-request.path-with-query"
      (func (param "self" (borrow $incoming-request)) (result (option string))))
    (export "[constructor]outgoing-response"
      (func (param "headers" (own $fields)) (result (own $outgoing-response))))
    (export "[method]outgoing-response.set-status-code"
      (func (param "self" (borrow $outgoing-response)) (param "status-code" u16)
        (result (result))))
    (export "[method]outgoing-response.body"
      (func (param "self" (borrow $outgoing-response)) (result (result (own $outgoing-body)))))
    (export "[method]outgoing-body.write"
      (func (param "self" (borrow $outgoing-body)) (result (result (own $output-stream)))))
    (export "[static]outgoing-body.finish"
      (func (param "this" (own $outgoing-body)) (param "trailers" (option (own $fields)))
        (result (result (error $error-code)))))
    (export "[static]response-outparam.set"
      (func (param "param" (own $response-outparam))
        (param "response" (result (own $outgoing-response) (error $error-code)))))
  ))
  (alias export $types "incoming-request" (type $incoming-request))
  (alias export $types "response-outparam" (type $response-outparam))
  (alias export $types "outgoing-body" (type $written-body))
  (core module $libc
    ;; What a host writes into the memory begins at 4096. If there is no more room, it begins there
    ;; again.
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.gt_u (i32.add (global.get $next) (local.get $size)) (i32.const 65536)) (then
        (global.set $next (i32.const 4096))))
      (local.set $at (global.get $next))
      (global.set $next (i32.and (i32.const -8)
        (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 7))))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $memory)))
  (core func $read (canon lower (func $streams "[method]input-stream.blocking-read")
    (memory $memory) (realloc $realloc)))
  (core func $consume (canon lower (func $types "[method]incoming-request.consume")
    (memory $memory)))
  (core func $content (canon lower (func $types "[method]incoming-body.stream")
    (memory $memory)))
  (core func $drop-stream (canon resource.drop $output-stream))
  (core func $drop-body (canon resource.drop $written-body))
  (core func $socket (canon lower (func $tcp-create-socket "create-tcp-socket")
    (memory $memory)))
  (core func $append (canon lower (func $types "[method]fields.append") (memory $memory)))
  (core func $fields (canon lower (func $types "[constructor]fields")))
  (core func $entries (canon lower (func $types "[method]fields.entries")
    (memory $memory) (realloc $realloc)))
  (core func $headers (canon lower (func $types "[method]incoming-request.headers")))
  (core func $path (canon lower (func $types "[method]incoming-request.path-with-query")
    (memory $memory) (realloc $realloc)))
  (core func $response (canon lower (func $types "[constructor]outgoing-response")))
  (core func $set-status (canon lower
    (func $types "[method]outgoing-response.set-status-code")))
  (core func $body (canon lower (func $types "[method]outgoing-response.body") (memory $memory)))
  (core func $stream (canon lower (func $types "[method]outgoing-body.write") (memory $memory)))
  (core func $finish (canon lower (func $types "[static]outgoing-body.finish")
    (memory $memory) (realloc $realloc)))
  (core func $set (canon lower (func $types "[static]response-outparam.set") (memory $memory)))
  (core module $main
    (import "host" "memory" (memory 1))
    (import "host" "block" (func $block (param i32)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "consume" (func $consume (param i32 i32)))
    (import "host" "content" (func $content (param i32 i32)))
    (import "host" "drop-stream" (func $drop-stream (param i32)))
    (import "host" "drop-body" (func $drop-body (param i32)))
    (import "host" "socket" (func $socket (param i32 i32)))
    (import "host" "append" (func $append (param i32 i32 i32 i32 i32 i32)))
    (import "host" "fields" (func $fields (result i32)))
    (import "host" "entries" (func $entries (param i32 i32)))
    (import "host" "headers" (func $headers (param i32) (result i32)))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "response" (func $response (param i32) (result i32)))
    (import "host" "set-status" (func $set-status (param i32 i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "stream" (func $stream (param i32 i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (data (i32.const 1024) "ok\n: \n")
    (data (i32.const 1032) "x-field")
    ;; Sends the head of an answer. Its body is returned, and the body's stream is in the global.
    (global $out (mut i32) (i32.const 0))
    (global $status (mut i32) (i32.const 200))
    (func $begin (param $outparam i32) (result i32)
      (local $response i32) (local $body i32)
      (local.set $response (call $response (call $fields)))
      (drop (call $set-status (local.get $response) (global.get $status)))
      (call $body (local.get $response) (i32.const 0))
      (local.set $body (i32.load (i32.const 4)))
      (call $stream (local.get $body) (i32.const 0))
      (global.set $out (i32.load (i32.const 4)))
      (call $set (local.get $outparam) (i32.const 0) (local.get $response) (i32.const 0)
        (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (local.get $body))
    (func $say (param $text i32) (param $length i32)
      (call $write (global.get $out) (local.get $text) (local.get $length) (i32.const 0)))
    (func (export "handle") (param $request i32) (param $outparam i32)
      (local $what i32) (local $body i32) (local $headers i32) (local $field i32) (local $end i32)
      (local $then i32)
      (call $path (local.get $request) (i32.const 0))
      (local.set $what (i32.load8_u offset=1 (i32.load (i32.const 4))))
      (local.set $then (i32.load8_u offset=2 (i32.load (i32.const 4))))
      (if (i32.eq (local.get $what) (i32.const 0x6c)) (then (loop (br 0))))
      (if (i32.eq (local.get $what) (i32.const 0x74)) (then unreachable))
      (if (i32.eq (local.get $what) (i32.const 0x6d)) (then
        (loop $more
          (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
          ;; One byte of the last new page, so that the memory is used.
          (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1))
            (i32.const 1))
          (br $more))))
      (if (i32.eq (local.get $what) (i32.const 0x68)) (then
        (loop $more (drop (call $fields)) (br $more))))
      (if (i32.eq (local.get $what) (i32.const 0x67)) (then
        (local.set $headers (call $fields))
        (loop $more
          (call $append (local.get $headers) (i32.const 1032) (i32.const 7) (i32.const 1032)
            (i32.const 7) (i32.const 0))
          (br $more))))
      (if (i32.eq (local.get $what) (i32.const 0x63)) (then
        (loop $more
          ;; IPv4. It keeps what it gets.
          (call $socket (i32.const 0) (i32.const 0))
          (br_if $more (i32.eqz (i32.load8_u (i32.const 0)))))
        (local.set $what (i32.const 0x77))))
      (if (i32.eq (local.get $what) (i32.const 0x73)) (then
        (call $block (call $subscribe (i64.const 60_000_000_000)))))
      (if (i32.eq (local.get $what) (i32.const 0x77)) (then
        (call $block (call $subscribe (i64.const 250_000_000)))))
      (if (i32.eq (local.get $what) (i32.const 0x72)) (then
        (call $consume (local.get $request) (i32.const 0))
        (call $content (i32.load (i32.const 4)) (i32.const 0))
        (local.set $body (i32.load (i32.const 4)))
        (loop $more
          (call $read (local.get $body) (i64.const 4096) (i32.const 0))
          ;; It ends with an error, which is the end of the body or a failure.
          (br_if $more (i32.eqz (i32.load8_u (i32.const 0)))))))
      (if (i32.eq (local.get $what) (i32.const 0x66)) (then
        (call $entries (call $headers (local.get $request)) (i32.const 0))
        (local.set $field (i32.load (i32.const 0)))
        ;; A name and a value: four numbers of four bytes.
        (local.set $end (i32.add (local.get $field)
          (i32.mul (i32.load (i32.const 4)) (i32.const 16))))))
      (if (i32.eq (local.get $what) (i32.const 0x69)) (then
        (global.set $status (i32.const 101))))
      (local.set $body (call $begin (local.get $outparam)))
      (block $all (loop $more
        (br_if $all (i32.ge_u (local.get $field) (local.get $end)))
        (call $say (i32.load (local.get $field)) (i32.load offset=4 (local.get $field)))
        (call $say (i32.const 1027) (i32.const 2))
        (call $say (i32.load offset=8 (local.get $field)) (i32.load offset=12 (local.get $field)))
        (call $say (i32.const 1029) (i32.const 1))
        (local.set $field (i32.add (local.get $field) (i32.const 16)))
        (br $more)))
      (if (i32.eq (local.get $what) (i32.const 0x62)) (then
        (loop $more
          (call $write (global.get $out) (i32.const 8192) (i32.const 4096) (i32.const 0))
          ;; The client or the host has closed it.
          (if (i32.load8_u (i32.const 0)) (then unreachable))
          (br $more))))
      (call $say (i32.const 1024) (i32.const 3))
      (if (i32.eq (local.get $what) (i32.const 0x70)) (then
        (if (i32.eq (local.get $then) (i32.const 0x6c)) (then (loop (br 0))))
        (if (i32.eq (local.get $then) (i32.const 0x74)) (then unreachable))
        (if (i32.eq (local.get $then) (i32.const 0x68)) (then
          (loop $more (drop (call $fields)) (br $more))))
        (if (i32.eq (local.get $then) (i32.const 0x73)) (then
          (call $block (call $subscribe (i64.const 60_000_000_000)))))
        (if (i32.eq (local.get $then) (i32.const 0x65)) (then
          (call $drop-stream (global.get $out))
          (call $drop-body (local.get $body))))
        (return)))
      (call $drop-stream (global.get $out))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 256))))
  (core instance $main (instantiate $main (with "host" (instance
    (export "memory" (memory $memory))
    (export "block" (func $block))
    (export "subscribe" (func $subscribe))
    (export "write" (func $write))
    (export "read" (func $read))
    (export "consume" (func $consume))
    (export "content" (func $content))
    (export "drop-stream" (func $drop-stream))
    (export "drop-body" (func $drop-body))
    (export "socket" (func $socket))
    (export "append" (func $append))
    (export "fields" (func $fields))
    (export "entries" (func $entries))
    (export "headers" (func $headers))
    (export "path" (func $path))
    (export "response" (func $response))
    (export "set-status" (func $set-status))
    (export "body" (func $body))
    (export "stream" (func $stream))
    (export "finish" (func $finish))
    (export "set" (func $set))))))
  (func $handle (param "request" (own $incoming-request))
    (param "response-out" (own $response-outparam))
    (canon lift (core func $main "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
