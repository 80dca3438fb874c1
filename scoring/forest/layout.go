package forest

// Stride is how many values a row takes in the x of Rows: one per feature, two where missing values are taken.
func (f *Forest[T]) Stride() int {
	if f.shape.Missing {
		return max(1, 2*f.shape.Features)
	}
	return max(1, f.shape.Features)
}

// Slot tells where row i of rows lies in x: value j is at first + j*step. The values of one feature are neighbours;
// where there are few rows, those of one row.
func (f *Forest[T]) Slot(i, rows int) (first, step int) {
	if rows < few {
		return i * f.Stride(), 1
	}
	return i, rows
}

// Put writes value j of a row whose slot is x[first:], with step. NaN is for forests that take it; an infinite
// value becomes the largest finite one, since the infinities stand for NaN.
func (f *Forest[T]) Put(x []T, step, j int, v T) {
	if v-v != 0 {
		f.putOdd(x, step, j, v)
		return
	}
	x[j*step] = v
	if f.shape.Missing {
		x[(j+f.shape.Features)*step] = v
	}
}

func (f *Forest[T]) putOdd(x []T, step, j int, v T) {
	top := infinity[T]()
	right, left := top, -top
	switch v {
	case top:
		right, left = before(top), before(top)
	case -top:
		right, left = -before(top), -before(top)
	}
	x[j*step] = right
	if f.shape.Missing {
		x[(j+f.shape.Features)*step] = left
	}
}

// infinity is +Inf of the lane.
func infinity[T Lane]() T {
	var zero T
	return 1 / zero
}
