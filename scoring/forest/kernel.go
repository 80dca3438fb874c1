package forest

// Row adds what every tree gives for one row to sums, in the order of the trees. x holds Stride() values, as
// Forest.Put writes them; sums has one place per output.
//
// The function is long because its four walks must stay in registers.
func (f *Forest[T]) Row(x []T, sums []float64) {
	nodes, trees := f.nodes, f.trees
	for ; len(trees) >= 4; trees = trees[4:] {
		t := trees[:4:4]
		i0, i1, i2, i3 := t[0].root, t[1].root, t[2].root, t[3].root
		for d := max(t[0].depth, t[1].depth, t[2].depth, t[3].depth); d > 0; d-- {
			n0, n1, n2, n3 := &nodes[i0], &nodes[i1], &nodes[i2], &nodes[i3]
			i0 = n0.left + above(x[n0.feature], n0.threshold)
			i1 = n1.left + above(x[n1.feature], n1.threshold)
			i2 = n2.left + above(x[n2.feature], n2.threshold)
			i3 = n3.left + above(x[n3.feature], n3.threshold)
		}
		f.add(sums, &t[0], i0)
		f.add(sums, &t[1], i1)
		f.add(sums, &t[2], i2)
		f.add(sums, &t[3], i3)
	}
	for t := range trees {
		f.add(sums, &trees[t], f.walk(x, &trees[t]))
	}
}

// Rows does the same for several rows: x holds them one after the other, sums likewise.
func (f *Forest[T]) Rows(x []T, rows int, sums []float64) {
	stride, outputs := f.Stride(), f.shape.Outputs
	if rows < 4 {
		for r := range rows {
			f.Row(x[r*stride:(r+1)*stride], sums[r*outputs:(r+1)*outputs])
		}
		return
	}
	nodes := f.nodes
	for k := range f.trees {
		t := &f.trees[k]
		r := 0
		for ; r+4 <= rows; r += 4 {
			x0 := x[r*stride:][:stride:stride]
			x1 := x[(r+1)*stride:][:stride:stride]
			x2 := x[(r+2)*stride:][:stride:stride]
			x3 := x[(r+3)*stride:][:stride:stride]
			i0, i1, i2, i3 := t.root, t.root, t.root, t.root
			for d := t.depth; d > 0; d-- {
				n0, n1, n2, n3 := &nodes[i0], &nodes[i1], &nodes[i2], &nodes[i3]
				i0 = n0.left + above(x0[n0.feature], n0.threshold)
				i1 = n1.left + above(x1[n1.feature], n1.threshold)
				i2 = n2.left + above(x2[n2.feature], n2.threshold)
				i3 = n3.left + above(x3[n3.feature], n3.threshold)
			}
			f.add(sums[r*outputs:], t, i0)
			f.add(sums[(r+1)*outputs:], t, i1)
			f.add(sums[(r+2)*outputs:], t, i2)
			f.add(sums[(r+3)*outputs:], t, i3)
		}
		for ; r < rows; r++ {
			f.add(sums[r*outputs:], t, f.walk(x[r*stride:], t))
		}
	}
}

// walk takes one row down one tree.
func (f *Forest[T]) walk(x []T, t *tree) uint32 {
	i := t.root
	for d := t.depth; d > 0; d-- {
		n := &f.nodes[i]
		i = n.left + above(x[n.feature], n.threshold)
	}
	return i
}

// add adds the values of leaf i.
func (f *Forest[T]) add(sums []float64, t *tree, i uint32) {
	switch f.shape.Width {
	case 1:
		sums[t.output] += f.values[i]
	case 2:
		v := f.values[2*i:][:2]
		sums[0] += v[0]
		sums[1] += v[1]
	default:
		w := f.shape.Width
		for k, v := range f.values[int(i)*w:][:w] {
			sums[k] += v
		}
	}
}

// above is 1 where x > threshold, without a branch.
func above[T Lane](x, threshold T) uint32 {
	var right uint32
	if x > threshold {
		right = 1
	}
	return right
}

// Put writes feature j of a row into x. NaN is for forests that take it; an infinite value becomes the largest
// finite one, since the infinities stand for NaN.
func (f *Forest[T]) Put(x []T, j int, v T) {
	if v-v != 0 {
		f.putOdd(x, j, v)
		return
	}
	x[j] = v
	if f.shape.Missing {
		x[j+f.shape.Features] = v
	}
}

func (f *Forest[T]) putOdd(x []T, j int, v T) {
	top := infinity[T]()
	right, left := top, -top
	switch {
	case v == top:
		right, left = before(top), before(top)
	case v == -top:
		right, left = -before(top), -before(top)
	}
	x[j] = right
	if f.shape.Missing {
		x[j+f.shape.Features] = left
	}
}

// infinity is +Inf of the lane.
func infinity[T Lane]() T {
	var zero T
	return 1 / zero
}
