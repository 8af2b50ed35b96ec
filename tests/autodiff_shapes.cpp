// Operations between elements: sums, slices, joins, transpose, broadcast, products. Values by plain loops, gradients by
// hand and by central differences.
#include <array>
#include "tests/gradient_check.h"

namespace {

Mat times(const Mat& a, const Mat& b) {  // a b by the definition
  Mat c(a.rows(), b.cols());
  for (Eigen::Index i = 0; i < a.rows(); ++i)
    for (Eigen::Index j = 0; j < b.cols(); ++j) {
      double sum = 0;
      for (Eigen::Index k = 0; k < a.cols(); ++k) sum += double(a(i, k)) * double(b(k, j));
      c(i, j) = Real(sum);
    }
  return c;
}
Mat flip(const Mat& a) {
  Mat t(a.cols(), a.rows());
  for (Eigen::Index i = 0; i < a.rows(); ++i)
    for (Eigen::Index j = 0; j < a.cols(); ++j) t(j, i) = a(i, j);
  return t;
}

}  // namespace

TEST_CASE("sums and means: the gradient is spread over what was added", "[autodiff]") {
  Rng rng(106);
  for (const auto& [rows, cols] : shapes) {
    CAPTURE(rows, cols);
    const Mat x = rng.normal(rows, cols);
    Mat down = Mat::Zero(1, cols), across = Mat::Zero(rows, 1);
    double total = 0;
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < cols; ++j) total += x(i, j), down(0, j) += x(i, j), across(i, 0) += x(i, j);
    Tape tape;
    const Var in = tape.input(x);
    CHECK(near(sum(in).item(), total, rounding));
    CHECK(near(sum(x), total, rounding));
    CHECK(near(mean(in).item(), total / (rows * cols), rounding));
    CHECK(near(mean(x), total / (rows * cols), rounding));
    CHECK(distance(colwise_sum(in).value(), down) < rounding);
    CHECK(distance(colwise_sum(x), down) < rounding);
    CHECK(distance(rowwise_sum(in).value(), across) < rounding);
    CHECK(distance(rowwise_sum(x), across) < rounding);

    const auto gradient = [&](const Function& f, const Mat& dy) {
      tape.backward(weighted_sum(f({in}), dy));
      return Mat(in.grad());
    };
    const Mat one = rng.normal(1, 1), row = rng.normal(1, cols), column = rng.normal(rows, 1);
    CHECK(distance(gradient([](const auto& v) { return sum(v[0]); }, one), Mat::Constant(rows, cols, one(0, 0))) <
          rounding);
    CHECK(distance(gradient([](const auto& v) { return mean(v[0]); }, one),
                   Mat::Constant(rows, cols, one(0, 0) / (rows * cols))) < rounding);
    CHECK(distance(gradient([](const auto& v) { return colwise_sum(v[0]); }, row), Mat(row.replicate(rows, 1))) <
          rounding);
    CHECK(distance(gradient([](const auto& v) { return rowwise_sum(v[0]); }, column), Mat(column.replicate(1, cols))) <
          rounding);
    for (const Function& f :
         {Function([](const auto& v) { return sum(v[0]); }), Function([](const auto& v) { return mean(v[0]); }),
          Function([](const auto& v) { return colwise_sum(v[0]); }),
          Function([](const auto& v) { return rowwise_sum(v[0]); })})
      CHECK(gradient_error(f, {x}, rng) < gradient_tolerance);
  }
}

TEST_CASE("slices take what they name and give its gradient back to the same place", "[autodiff]") {
  Rng rng(107);
  for (const auto& [n_rows, n_cols] : shapes) {
    const Mat x = rng.normal(n_rows, n_cols);
    for (int i = 0; i < n_rows; ++i)
      for (int n = 1; i + n <= n_rows; ++n) {
        CAPTURE(n_rows, n_cols, i, n);
        Mat value(n, n_cols), dx = Mat::Zero(n_rows, n_cols);
        const Mat dy = rng.normal(n, n_cols);
        for (int r = 0; r < n; ++r)
          for (int c = 0; c < n_cols; ++c) value(r, c) = x(i + r, c), dx(i + r, c) = dy(r, c);
        Tape tape;
        const Var in = tape.input(x), y = rows(in, i, n);
        tape.backward(weighted_sum(y, dy));
        const Mat gradient = in.grad();
        CHECK(distance(y.value(), value) == 0);
        CHECK(distance(rows(x, i, n), value) == 0);
        CHECK(distance(gradient, dx) == 0);
      }
    for (int j = 0; j < n_cols; ++j)
      for (int n = 1; j + n <= n_cols; ++n) {
        CAPTURE(n_rows, n_cols, j, n);
        Mat value(n_rows, n), dx = Mat::Zero(n_rows, n_cols);
        const Mat dy = rng.normal(n_rows, n);
        for (int r = 0; r < n_rows; ++r)
          for (int c = 0; c < n; ++c) value(r, c) = x(r, j + c), dx(r, j + c) = dy(r, c);
        Tape tape;
        const Var in = tape.input(x), y = cols(in, j, n);
        tape.backward(weighted_sum(y, dy));
        const Mat gradient = in.grad();
        CHECK(distance(y.value(), value) == 0);
        CHECK(distance(cols(x, j, n), value) == 0);
        CHECK(distance(gradient, dx) == 0);
      }
  }
  const Mat x = rng.normal(5, 6);  // overlapping slices add; what no slice names gets nothing
  CHECK(gradient_error([](const auto& v) { return rows(v[0], 0, 3) * rows(v[0], 1, 3); }, {x}, rng) <
        gradient_tolerance);
  CHECK(gradient_error([](const auto& v) { return cols(v[0], 3, 2) * cols(v[0], 2, 2) + cols(v[0], 2, 2); }, {x}, rng) <
        gradient_tolerance);
}

TEST_CASE("joins put their parts side by side and split the gradient at the same place", "[autodiff]") {
  Rng rng(108);
  for (const auto& [n, m] : shapes)
    for (int k : {1, 2, 5}) {
      CAPTURE(n, m, k);
      const Mat a = rng.normal(n, m), below = rng.normal(k, m), right = rng.normal(n, k);
      Mat tall(n + k, m), wide(n, m + k);
      for (int j = 0; j < m; ++j)
        for (int i = 0; i < n + k; ++i) tall(i, j) = i < n ? a(i, j) : below(i - n, j);
      for (int j = 0; j < m + k; ++j)
        for (int i = 0; i < n; ++i) wide(i, j) = j < m ? a(i, j) : right(i, j - m);
      CHECK(distance(concat(a, below), tall) == 0);
      CHECK(distance(append_cols(a, right), wide) == 0);
      Tape tape;
      const Var a_in = tape.input(a), below_in = tape.input(below), right_in = tape.input(right);
      const Var t = concat(a_in, below_in), w = append_cols(a_in, right_in);
      CHECK(distance(t.value(), tall) == 0);
      CHECK(distance(w.value(), wide) == 0);
      const Mat dt = rng.normal(n + k, m), dw = rng.normal(n, m + k);
      tape.backward(weighted_sum(t, dt));
      const Mat da = a_in.grad(), d_below = below_in.grad();
      CHECK(distance(da, Mat(dt.block(0, 0, n, m))) == 0);
      CHECK(distance(d_below, Mat(dt.block(n, 0, k, m))) == 0);
      tape.backward(weighted_sum(w, dw));
      const Mat da_wide = a_in.grad(), d_right = right_in.grad();
      CHECK(distance(da_wide, Mat(dw.block(0, 0, n, m))) == 0);
      CHECK(distance(d_right, Mat(dw.block(0, m, n, k))) == 0);
    }
  const Mat a = rng.normal(2, 3), b = rng.normal(4, 3), c = rng.normal(2, 2);
  CHECK(gradient_error([](const auto& v) { return square(concat(v[0], v[1])); }, {a, b}, rng) < gradient_tolerance);
  CHECK(gradient_error([](const auto& v) { return square(append_cols(v[0], v[1])); }, {a, c}, rng) <
        gradient_tolerance);
}

TEST_CASE("transpose and broadcast: the gradient takes the way back", "[autodiff]") {
  Rng rng(109);
  for (const auto& [n, m] : shapes) {
    CAPTURE(n, m);
    const Mat x = rng.normal(n, m), dy = rng.normal(m, n);
    Tape tape;
    const Var in = tape.input(x), y = transpose(in);
    tape.backward(weighted_sum(y, dy));
    const Mat dx = in.grad();
    CHECK(distance(y.value(), flip(x)) == 0);
    CHECK(distance(transpose(x), flip(x)) == 0);
    CHECK(distance(dx, flip(dy)) == 0);
    for (int kind = 0; kind < 4; ++kind) {
      const Mat part = rng.normal(kind & 1 ? 1 : n, kind & 2 ? 1 : m), dz = rng.normal(n, m);
      Mat whole(n, m), d_part = Mat::Zero(part.rows(), part.cols());
      for (int i = 0; i < n; ++i)
        for (int j = 0; j < m; ++j)
          whole(i, j) = Real(at(part, i, j)), d_part(kind & 1 ? 0 : i, kind & 2 ? 0 : j) += dz(i, j);
      const Var p = tape.input(part), z = broadcast(p, n, m);
      CHECK(distance(z.value(), whole) == 0);
      CHECK(distance(broadcast(part, n, m), whole) == 0);
      tape.backward(weighted_sum(z, dz));
      const Mat gradient = p.grad();
      CHECK(distance(gradient, d_part) < rounding);
    }
  }
}

TEST_CASE("matmul is the matrix product for Mat and Var on either side", "[autodiff]") {
  Rng rng(110);
  for (const auto& [n, k, m] : {std::array{3, 4, 2}, {1, 5, 1}, {4, 1, 3}, {1, 1, 1}, {17, 33, 9}, {2, 2, 2}}) {
    CAPTURE(n, k, m);
    const Mat a = rng.normal(n, k), b = rng.normal(k, m), dy = rng.normal(n, m);
    const Mat c = times(a, b), da = times(dy, flip(b)), db = times(flip(a), dy);
    CHECK(distance(Mat(matmul(a, b)), c) < rounding);
    Tape tape;
    const Var a_in = tape.input(a), b_in = tape.input(b);
    const auto gradients = [&](Var y) {
      CHECK(distance(y.value(), c) < rounding);
      tape.backward(weighted_sum(y, dy));
      return std::pair<Mat, Mat>(a_in.grad(), b_in.grad());
    };
    const auto [da_1, db_1] = gradients(matmul(a_in, b_in));
    CHECK(distance(da_1, da) < rounding);
    CHECK(distance(db_1, db) < rounding);
    const auto [da_2, db_2] = gradients(matmul(a_in, b));
    CHECK(distance(da_2, da) < rounding);
    CHECK((db_2 == 0).all());
    const auto [da_3, db_3] = gradients(matmul(a, b_in));
    CHECK((da_3 == 0).all());
    CHECK(distance(db_3, db) < rounding);
    CHECK(gradient_error([](const auto& v) { return matmul(v[0], v[1]); }, {a, b}, rng) < gradient_tolerance);
    CHECK(gradient_error([](const auto& v) { return matmul(transpose(v[0]), v[0]); }, {a}, rng) < gradient_tolerance);
  }
}

TEST_CASE("a product takes transposed factors, is added in place, and replaces a matrix of any shape", "[autodiff]") {
  Rng rng(111);
  for (const auto& [n, k, m] : {std::array{3, 4, 2}, {1, 5, 1}, {4, 1, 3}, {1, 1, 1}, {17, 33, 9}}) {
    CAPTURE(n, k, m);
    const Mat a = rng.normal(n, k), b = rng.normal(k, m), start = rng.normal(n, m), c = times(a, b);
    Mat a_flipped = flip(a), b_flipped = flip(b);  // not const: x.transpose() is another type than for a const Mat
    const Mat& a_const = a_flipped;
    const Mat& b_const = b_flipped;
    CHECK(distance(Mat(matmul(a_flipped.transpose(), b)), c) < rounding);
    CHECK(distance(Mat(matmul(a, b_flipped.transpose())), c) < rounding);
    CHECK(distance(Mat(matmul(a_flipped.transpose(), b_flipped.transpose())), c) < rounding);
    CHECK(distance(Mat(matmul(a_const.transpose(), b)), c) < rounding);
    CHECK(distance(Mat(matmul(a, b_const.transpose())), c) < rounding);
    CHECK(distance(Mat(matmul(a_const.transpose(), b_flipped.transpose())), c) < rounding);
    Mat added = start;
    added += matmul(a, b);
    added += matmul(a_const.transpose(), b_const.transpose());
    CHECK(distance(added, Mat(start + 2 * c)) < rounding);
    Mat assigned = rng.normal(2, 7);
    assigned = matmul(a, b);
    CHECK(distance(assigned, c) < rounding);
    assigned = matmul(a_const.transpose(), b);
    CHECK(distance(assigned, c) < rounding);
    Mat square = rng.normal(n, n), copy = square;
    square = matmul(square, copy);  // a factor may be the target of an assignment
    CHECK(distance(square, times(copy, copy)) < rounding);
  }
}

TEST_CASE("affine is W x + b with gradients for W, b and x", "[autodiff]") {
  Rng rng(112);
  for (const auto& [out, in, batch] : {std::array{3, 4, 5}, {1, 3, 2}, {4, 1, 3}, {2, 3, 1}, {1, 1, 1}, {17, 19, 33}}) {
    CAPTURE(out, in, batch);
    Param W{rng.normal(out, in), Mat::Zero(out, in)}, b{rng.normal(out, 1), Mat::Zero(out, 1)};
    const Mat x = rng.normal(in, batch), dy = rng.normal(out, batch);
    const Mat value = times(W.value, x) + b.value.replicate(1, batch);
    Tape tape;
    const Var v = tape.input(x), y = affine(W, v, b);
    CHECK(distance(affine(W, x, b), value) < rounding);
    CHECK(distance(y.value(), value) < rounding);
    tape.backward(weighted_sum(y, dy));
    const Mat dx = v.grad();
    CHECK(distance(dx, times(flip(W.value), dy)) < rounding);
    CHECK(distance(W.grad, times(dy, flip(x))) < rounding);
    CHECK(distance(b.grad, times(dy, Mat::Ones(batch, 1))) < rounding);
  }
}

TEST_CASE("frozen affine leaves W and b alone and passes the gradient to x", "[autodiff]") {
  Rng rng(113);
  Param W{rng.normal(3, 4), Mat::Constant(3, 4, 7)}, b{rng.normal(3, 1), Mat::Constant(3, 1, 7)};
  const Mat x = rng.normal(4, 5), dy = rng.normal(3, 5);
  Tape tape;
  const Var v = tape.input(x), y = affine(std::as_const(W), v, std::as_const(b));
  CHECK(distance(y.value(), Mat(times(W.value, x) + b.value.replicate(1, 5))) < rounding);
  tape.backward(weighted_sum(y, dy));
  const Mat dx = v.grad();
  CHECK(distance(dx, times(flip(W.value), dy)) < rounding);
  CHECK((W.grad == 7).all());
  CHECK((b.grad == 7).all());
  const Var still = affine(std::as_const(W), tape.constant(x), std::as_const(b));
  CHECK_FALSE(still.needs_grad());
}
