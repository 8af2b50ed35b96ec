// Layers and networks. One body, three meanings, told apart by types:
//   Mat in, Mat out    numbers, nothing recorded
//   Var in, Var out    recorded, weights learn
//   const network      recorded, weights frozen: the gradient passes through to the input
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <vector>
#include "autodiff/ops.h"
#include "autodiff/rng.h"

// How a layer's weights start.
enum class Init {
  glorot,            // W ~ U(+-sqrt(6 / (in + out))), b = 0: Glorot and Bengio 2010, the default of Keras
  kaiming_uniform,   // W, b ~ U(+-1 / sqrt(in)): the default of PyTorch's linear layer
  truncated_normal,  // W ~ N(0, 1 / (4 in)) cut at two standard deviations, b = 0: the PETS ensemble
};

// y = W x + b.
struct Linear {
  Param W, b;  // (out, in), (out, 1)

  Linear(int in, int out, Init init, Rng& rng) {
    const Real bound = init == Init::glorot ? std::sqrt(Real(6) / (in + out)) : 1 / std::sqrt(Real(in));
    W.value = rng.uniform(out, in, -bound, bound);
    b.value = init == Init::kaiming_uniform ? rng.uniform(out, 1, -bound, bound) : Mat(Mat::Zero(out, 1));
    if (init == Init::truncated_normal)
      for (Real& w : W.value.reshaped()) w = Real(rng.truncated_normal(2)) * bound / 2;
    W.grad.setZero(out, in);
    b.grad.setZero(out, 1);
  }

  Mat operator()(const Mat& x) const { return affine(W, x, b); }
  Var operator()(Var x) { return affine(W, x, b); }
  Var operator()(Var x) const { return affine(W, x, b); }

  template <class Ar> void io(Ar& ar) { ar("W", W), ar("b", b); }
};

enum class Activation { tanh, relu, swish };

template <class T> T activate(Activation f, const T& x) {
  switch (f) {
    case Activation::tanh: return tanh(x);
    case Activation::relu: return relu(x);
    case Activation::swish: return swish(x);
  }
  return x;
}

// activate(f, layer(x)); relu is one operation with its product.
template <class Layer, class T> T hidden_layer(Layer& layer, Activation f, const T& x) {
  return f == Activation::relu ? affine_relu(layer.W, x, layer.b) : activate<T>(f, layer(x));
}

// A multi-layer perceptron: sizes = {in, hidden, ..., out}, the activation after every layer but the last.
struct MLP {
  std::vector<Linear> layers;
  Activation activation;

  MLP(const std::vector<int>& sizes, Activation f, Init init, Rng& rng) : activation(f) {
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) layers.emplace_back(sizes[i], sizes[i + 1], init, rng);
  }

  Mat operator()(const Mat& x) const { return forward(*this, x); }  // numbers: nothing recorded
  Var operator()(Var x) { return forward(*this, x); }               // recorded, weights learn
  Var operator()(Var x) const { return forward(*this, x); }         // recorded, weights frozen

  template <class Ar> void io(Ar& ar) { ar("layers", layers); }

 private:
  template <class Net, class T> static T forward(Net& net, T x) {
    for (std::size_t i = 0; i + 1 < net.layers.size(); ++i) x = hidden_layer(net.layers[i], net.activation, x);
    return net.layers.back()(x);
  }
};

// The same network, but recording through it leaves its weights alone.
template <class Net> const Net& frozen(const Net& net) { return net; }

// ---- The parameters of anything that lists its members in io ----

struct ParamList {  // an archive that collects the address of every Param it is shown
  std::vector<Param*> found;
  template <class T> void operator()(const char*, T& member) { visit(member); }

 private:
  void visit(Param& p) { found.push_back(&p); }
  template <class T> void visit(std::vector<T>& list) {
    for (T& member : list) visit(member);
  }
  template <class T> void visit(T& member) {
    if constexpr (requires { member.io(*this); }) member.io(*this);
  }
};

// Every Param of the networks, in the order of their io.
template <class... Nets> std::vector<Param*> params(Nets&... nets) {
  ParamList list;
  (list("", nets), ...);
  return list.found;
}

// targ <- (1 - tau) targ + tau net, for two networks of the same shape.
template <class Net> void soft_update(Net& targ, Net& net, Real tau) {
  const std::vector<Param*> to = params(targ), from = params(net);
  for (std::size_t i = 0; i < to.size(); ++i) to[i]->value += tau * (from[i]->value - to[i]->value);
}
inline void soft_update(MLP& targ, MLP& net, Real tau) {  // the same without a list: nothing is allocated
  for (std::size_t i = 0; i < targ.layers.size(); ++i) {
    targ.layers[i].W.value += tau * (net.layers[i].W.value - targ.layers[i].W.value);
    targ.layers[i].b.value += tau * (net.layers[i].b.value - targ.layers[i].b.value);
  }
}

// Weight decay of each layer's W, layer by layer: lambda_i/2 ||W_i||^2 joins the loss (Adam adds its gradient).
inline void set_decay(MLP& net, const std::vector<Real>& lambda) {
  eigen_assert(lambda.size() == net.layers.size());
  for (std::size_t i = 0; i < lambda.size(); ++i) net.layers[i].W.decay = lambda[i];
}
