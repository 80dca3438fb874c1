package sklearn

import (
	"math"

	"fraudstream/scoring/program"
)

// platt adds the probabilities of a support vector machine: a sigmoid for each pair of classes, and from those
// the class probabilities after Wu, Lin and Weng (2004). libsvm finds them by iteration and stops at a tolerance,
// which shows in the third decimal, so that the same steps are taken here: from equal shares, in the same order,
// to the same tolerance of 0.005 divided by the number of classes, and at most 100 times, or once per class where
// there are more.
//
// For a pair with value v the sigmoid is 1/(1 + exp(A·v + B)), with A from probA_ and B from probB_ in the order
// of the pairs. Newer files name them _probA and _probB. Two classes are coupled like more, by the same
// iteration, whose first look at equal shares may already end it.
func (c *compiler) platt(a *attributes, name string, model *classifier, pairs matrix) {
	n := len(model.classes)
	s := &platt{in: pairs, out: c.b.Block(n)}
	s.slope, s.offset = a.plattOf("_probA", len(pairs)), a.plattOf("_probB", len(pairs))
	if a.err != nil {
		return
	}
	c.b.Lane64(2*n*n + 2*n)
	c.b.Add(name, s)
	model.probability = s.out
}

// platt couples the pairwise probabilities of a row.
type platt struct {
	in, out       matrix
	slope, offset []float64
}

// least is how far pairwise probabilities are kept from 0 and 1. It is libsvm's min_prob.
const least = 1e-7

// Run lays the pairwise probabilities out as a matrix r, with r_ij + r_ji = 1, and couples them. The scratch is
// r, Q, p and Qp one behind the other.
func (s *platt) Run(f *program.Frame) {
	n := len(s.out)
	r, q := f.Lane64[:n*n], f.Lane64[n*n:2*n*n]
	p, qp := f.Lane64[2*n*n:2*n*n+n], f.Lane64[2*n*n+n:2*n*n+2*n]
	for row := range f.Rows {
		registers := f.Registers(row)
		k := 0
		for i := range n {
			for j := i + 1; j < n; j++ {
				v := stableSigmoid(float64(registers[s.in[k]]*s.slope[k]) + s.offset[k])
				v = min(max(v, least), 1-least)
				r[i*n+j], r[j*n+i] = v, 1-v
				k++
			}
		}
		couple(r, q, p, qp)
		for k, reg := range s.out {
			registers[reg] = p[k]
		}
	}
}

// stableSigmoid is 1/(1+exp(x)) without overflow. exp is only taken of what is not above zero.
func stableSigmoid(x float64) float64 {
	if x >= 0 {
		e := math.Exp(-x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(x))
}

// couple minimises pᵀQp over probabilities p, where Q_tt = Σ_j r_jt² and Q_tj = -r_jt·r_tj: algorithm 2 of the
// paper. Qp is kept up to date as p changes; p is divided by its sum after every step. r_ij is how likely class i
// is, given that it is i or j; the p that fits all pairs best need not fit any one exactly. The matrices are
// square, in row order.
func couple(r, q, p, qp []float64) {
	n := len(p)
	for t := range n {
		p[t] = 1 / float64(n)
		q[t*n+t] = 0
		for j := range n {
			if j == t {
				continue
			}
			q[t*n+t] += float64(r[j*n+t] * r[j*n+t])
			q[t*n+j] = float64(-r[j*n+t] * r[t*n+j])
		}
	}
	tolerance := 0.005 / float64(n)
	for range max(100, n) {
		pqp := 0.0
		for t := range n {
			qp[t] = dot(q[t*n:(t+1)*n], p)
			pqp += float64(p[t] * qp[t])
		}
		// At the optimum all components of Qp are equal.
		worst := 0.0
		for t := range n {
			worst = max(worst, math.Abs(qp[t]-pqp))
		}
		if worst < tolerance {
			return
		}
		for t := range n {
			// One coordinate moves at a time, and p, Qp and pᵀQp are brought up to date for it at once.
			step := (pqp - qp[t]) / q[t*n+t]
			p[t] += step
			pqp = (pqp + float64(step*(float64(step*q[t*n+t])+2*qp[t]))) / (1 + step) / (1 + step)
			for j := range n {
				qp[j] = (qp[j] + float64(step*q[t*n+j])) / (1 + step)
				p[j] /= 1 + step
			}
		}
	}
}
