;; A component that asks its host for the network: a policy that does not allow
;; `wasi:sockets` refuses it.
(component
  (import "wasi:sockets/network@0.2.0" (instance
    (export "network" (type (sub resource)))))
)
