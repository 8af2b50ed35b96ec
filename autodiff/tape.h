// Reverse-mode automatic differentiation on matrices. A Var is a number that remembers how it was computed:
// each operation appends a node to the tape, and backward walks the tape from the end to the beginning.
// The order of recording is already a topological order, so there is nothing to sort.
#pragma once
#include <cassert>
#include <concepts>
#include <cstddef>
#include <deque>
#include <initializer_list>
#include <new>
#include <stdexcept>
#include <type_traits>
#include "autodiff/mat.h"

// A trained number: owned by a layer, lives longer than any tape.
struct Param {
  Mat value, grad;  // same shape; backward adds to grad, Adam::minimize zeroes it first
  Real decay = 0;   // lambda of the weight decay lambda/2 ||value||^2, applied by Adam
  template <class Ar> void io(Ar& ar) { ar("", value); }
};

// A NaN or an infinity in a loss, a gradient, a state or an action. The message names the quantity.
struct NotFinite : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Node;

// A small callable stored in place (no heap): the derivative rule of one operation.
struct Backward {
  template <class F> void store(F f) {
    static_assert(std::is_trivially_copyable_v<F> && sizeof(F) <= sizeof(bytes), "capture Vars and references only");
    new (bytes) F(f);
    call = [](const void* f, Node& y) { (*static_cast<const F*>(f))(y); };
  }
  void operator()(Node& y) const { call(bytes, y); }

 private:
  void (*call)(const void*, Node&) = nullptr;
  alignas(std::max_align_t) std::byte bytes[64];
};

struct Node {
  Mat value, grad;          // grad = d(loss)/d(value)
  bool needs_grad = false;  // constants, and what is computed from constants alone, need none
  bool has_grad = false;    // grad holds a number of this backward pass
  Backward back;
};

// What x.grad() returns. `x.grad() += g` adds g, and costs nothing where x needs no gradient: g is an expression that
// is then never evaluated. The first addition is an assignment.
struct Grad {
  Node& node;
  template <class E> void operator+=(const Eigen::ArrayBase<E>& g) const {
    assert(g.rows() == node.value.rows() && g.cols() == node.value.cols());
    if (!node.needs_grad) return;
    if (node.has_grad) node.grad += g;
    else node.grad = g;
    node.has_grad = true;
  }
  void operator+=(const Product& g) const {
    if (!node.needs_grad) return;
    if (node.has_grad) g.add_to(node.grad);
    else g.assign_to(node.grad);
    node.has_grad = true;
  }
  Mat& whole() const {  // all of the gradient, zero where nothing has been added yet
    if (!node.has_grad) node.grad.setZero(node.value.rows(), node.value.cols());
    node.has_grad = true;
    return node.grad;
  }
  operator const Mat&() const { return whole(); }
  Real operator()(Eigen::Index i, Eigen::Index j) const { return whole()(i, j); }
};

struct Tape;

struct Var {
  Tape* tape = nullptr;
  int id = -1;
  unsigned step = 0;  // which step of the tape it belongs to: a Var does not outlive clear()

  const Mat& value() const;
  Grad grad() const;  // d(loss)/d(this) after backward(loss)
  bool needs_grad() const;
  Eigen::Index rows() const { return value().rows(); }
  Eigen::Index cols() const { return value().cols(); }
  Real item() const {  // the number in a (1, 1) Var
    assert(value().size() == 1);
    return value()(0, 0);
  }
};

// Writes an expression, a Product, or what f does to it into `target`, reusing its memory.
template <class E> void write(Mat& target, const Eigen::ArrayBase<E>& x) { target = x; }
inline void write(Mat& target, const Product& x) { x.assign_to(target); }
template <class F> requires(!std::derived_from<F, Eigen::EigenBase<F>>) void write(Mat& target, const F& f) {
  f(target);
}

struct Tape {
  // A number that needs no gradient. value: any expression of Mats.
  template <class Value> Var constant(const Value& value) {
    Node& y = push();
    write(y.value, value);
    y.needs_grad = false;
    return last();
  }
  Var zero() { return constant(Mat::Zero(1, 1)); }

  // A number whose gradient is wanted: grad() holds it after backward.
  template <class Value> Var input(const Value& value) {
    return append(value, true, [](const Node&) {});
  }

  // A Param as a Var, for formulas that are not layers:   dp += dy
  Var param(Param& p) {
    assert(p.grad.rows() == p.value.rows() && p.grad.cols() == p.value.cols() && "the Param's grad has no shape yet");
    return append(p.value, true, [&p](const Node& y) { p.grad += y.grad; });
  }

  // Sets d(loss)/dx for every x that loss depends on, and adds to the grad of every Param. loss: (1, 1).
  void backward(Var loss) {
    assert(loss.tape == this && loss.step == step && loss.value().size() == 1);
    for (int i = 0; i < used; ++i) nodes[i].has_grad = false;
    loss.grad() += Mat::Ones(1, 1);
    for (int i = loss.id; i >= 0; --i)
      if (nodes[i].has_grad) nodes[i].back(nodes[i]);
  }

  // Forgets the graph. Matrices stay allocated and are reused by the next step, so a step of the same shapes allocates
  // nothing: use one tape per loss.
  void clear() {
    used = 0;
    ++step;
  }

  // Appends y = value with its derivative rule back(y), which does nothing unless y needs a gradient.
  template <class Value, class F> Var append(const Value& value, bool needs_grad, F back) {
    Node& y = push();
    write(y.value, value);
    y.needs_grad = needs_grad;
    if (needs_grad) y.back.store(back);
    return last();
  }

  std::deque<Node> nodes;  // a deque: nodes keep their address while the tape grows
  int used = 0;            // nodes of this step
  unsigned step = 0;

 private:
  Node& push() {
    if (used == int(nodes.size())) nodes.emplace_back();
    nodes[used].has_grad = false;
    return nodes[used++];
  }
  Var last() { return {this, used - 1, step}; }
};

// y = value(inputs) with the derivative rule back(y), called with dy = y.grad to add to the gradients of the inputs.
// learns: true if the operation has Params of its own. The inputs are on one tape.
template <class Value, class F>
Var record(std::initializer_list<Var> inputs, const Value& value, F back, bool learns = false) {
  bool needs_grad = learns;
  for (Var x : inputs) {
    assert(x.tape == inputs.begin()->tape && "all inputs of an operation are on one tape");
    needs_grad = needs_grad || x.needs_grad();
  }
  return inputs.begin()->tape->append(value, needs_grad, back);
}

inline const Mat& Var::value() const {
  assert(tape && step == tape->step && id < tape->used && "this Var was recorded before clear()");
  return tape->nodes[id].value;
}
inline Grad Var::grad() const {
  assert(tape && step == tape->step && id < tape->used && "this Var was recorded before clear()");
  return {tape->nodes[id]};
}
inline bool Var::needs_grad() const { return tape->nodes[id].needs_grad; }
