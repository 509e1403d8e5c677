;; Values of exceptions, `rethrow` and `delegate`. It traps if any of them goes another way.
(module
  (tag $number (param i32))
  (tag $pair (param i32 i64))
  (memory (export "memory") 1)
  (global $caught (mut i32) (i32.const 0))

  (func $throw (param i32)
    (if (local.get 0)
      (then (throw $pair (i32.const 40) (i64.const 2)))
      (else (throw $number (i32.const 7)))))

  ;; Catches a pair, and throws everything else again.
  (func $sum (param i32) (result i32)
    try $outer (result i32)
      local.get 0
      call $throw
      i32.const 0
    catch $pair
      i32.wrap_i64
      i32.add
    catch_all
      (global.set $caught (i32.add (global.get $caught) (i32.const 1)))
      rethrow $outer
    end)

  ;; The inner block passes on what it does not catch.
  (func $delegated (result i32)
    try $outer (result i32)
      try (result i32)
        i32.const 0
        call $sum
      delegate $outer
    catch $number
    end)

  (func $check (param i32)
    (if (i32.eqz (local.get 0)) (then (unreachable))))

  (func (export "_start")
    (call $check (i32.eq (call $sum (i32.const 1)) (i32.const 42)))
    (call $check (i32.eq (call $delegated) (i32.const 7)))
    (call $check (i32.eq (global.get $caught) (i32.const 1)))))
