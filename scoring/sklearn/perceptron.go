package sklearn

import (
	"fmt"
	"math"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// multilayerPerceptron compiles a stack of affine layers with an activation between them. Two classes have one output,
// through the logistic function, more have one each, through the softmax; predict asks whether the one output
// exceeds ½ or which of several is largest.
//
// The solver, the learning rate and early stopping shaped the weights and nothing else. A row with NaN or an infinity
// raises a ValueError. A network fitted on float32 data computes in float32 in scikit-learn; here the last digits are
// better, and the golden rows tell whether that is within tolerance.
//
// With W_l the weights of layer l and f the activation, a row h_0 = x goes through
//
//	h_l = f(h_(l-1)·W_l + b_l)
//
// up to the last layer, which has the link in the place of f. There is a step per layer and one per activation,
// so that a batch goes through a layer as a whole.
func (c *compiler) multilayerPerceptron(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.classes()
	outputs := len(model.classes)
	// out_activation_ follows from the number of classes; a file in which it does not was tampered with.
	link := "softmax"
	if outputs == 2 {
		outputs, link = 1, "logistic"
	}
	if got := a.text("out_activation_", ""); a.err == nil && got != link {
		a.unknown("out_activation_", got)
	}
	layers := a.layers(len(in), outputs)
	apply := activation(a.text("activation", ""))
	if apply == nil {
		a.unknown("activation", a.optional("activation"))
	}
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	c.b.CheckFinite(name, in, false)
	for i, s := range layers {
		s.in, s.out = in, c.b.Block(len(s.intercept))
		c.b.Add(name, s)
		// The identity is left out rather than computed; the last layer has its link instead.
		if i < len(layers)-1 && a.text("activation", "") != "identity" {
			c.b.Add(name, &mapEach{in: s.out, out: s.out, apply: apply})
		}
		in = s.out
		if c.b.Full() {
			a.err = program.ErrFull
			return
		}
	}
	model.probability, model.predicted = c.b.Block(len(model.classes)), c.b.New(-1)
	if outputs == 1 {
		c.b.Add(name, &sigmoid{in[0], model.probability, 1})
		// Exactly ½ is the first class: a LabelBinarizer turns outputs into labels there, and wants more than its
		// threshold.
		c.b.Add(name, &atLeast{in: model.probability[1], out: model.predicted, threshold: math.Nextafter(0.5, 1), yes: 1})
		return model
	}
	c.b.Add(name, &softmax{in, model.probability})
	c.b.Add(name, &argmax{model.probability, model.predicted})
	return model
}

// activation is the function of the hidden layers, nil for a name that is none of scikit-learn's four. relu
// passes NaN on, as the maximum of numpy does.
func activation(name string) func(float64) float64 {
	switch name {
	case "identity":
		return func(x float64) float64 { return x }
	case "logistic":
		return expit
	case "tanh":
		return math.Tanh
	case "relu":
		return func(x float64) float64 { return max(x, 0) }
	}
	return nil
}

// maxWeights bounds the weights of all layers together: layers may share one array in a hostile file.
const maxWeights = 1 << 21

// layers reads one affine map per layer, in order. The outputs of one are the inputs of the next. They come from
// coefs_, whose matrices have a row per input, and intercepts_. The bound is on what a row costs, a
// multiplication per weight.
func (a *attributes) layers(inputs, outputs int) []*affine {
	weights, offsets := a.list("coefs_"), a.list("intercepts_")
	if a.err == nil && (len(weights) == 0 || len(weights) != len(offsets)) {
		a.mismatch("coefs_", fmt.Sprintf("%d layers", len(weights)), fmt.Sprintf("intercepts_ has %d", len(offsets)))
	}
	var layers []*affine
	total := 0
	for i := range weights {
		if w := arrayOf(weights[i]); w != nil {
			total += w.Len() + 1
		}
		if total > maxWeights && a.err == nil {
			a.refuse("budget", "coefs_", "", fmt.Sprintf("a network may have at most %d weights", maxWeights))
		}
		if a.err != nil {
			return nil
		}
		layers = append(layers, a.layer(i, inputs, weights[i], offsets[i]))
		inputs = len(layers[i].intercept)
	}
	if a.err == nil && inputs != outputs {
		a.mismatch("coefs_", fmt.Sprintf("%d outputs", inputs), fmt.Sprintf("%d are expected", outputs))
	}
	return layers
}

// layer reads one layer and turns its matrix, so that the weights of an output lie side by side. The numbers are
// those of the file; only their order changes.
func (a *attributes) layer(i, inputs int, weights, offsets pickle.Value) *affine {
	s := new(affine)
	w, b := arrayOf(weights), arrayOf(offsets)
	if w == nil || b == nil || len(w.Shape) != 2 || len(b.Shape) != 1 || w.Shape[0] != inputs || w.Shape[1] != b.Shape[0] {
		a.mismatch(fmt.Sprintf("coefs_[%d]", i), fmt.Sprintf("%s and %s", show(weights), show(offsets)), fmt.Sprintf("a matrix with %d rows and an offset for each of its columns are expected", inputs))
		return s
	}
	values, ok1 := floats(w)
	intercept, ok2 := floats(b)
	if !ok1 || !ok2 {
		a.mismatch(fmt.Sprintf("coefs_[%d]", i), describe(w), "numbers are expected")
		return s
	}
	a.finite(fmt.Sprintf("coefs_[%d]", i), values)
	a.finite(fmt.Sprintf("intercepts_[%d]", i), intercept)
	outputs := len(intercept)
	s.intercept, s.coef = intercept, make([]float64, len(values))
	for j := range inputs {
		for k := range outputs {
			s.coef[k*inputs+j] = values[j*outputs+k]
		}
	}
	return s
}

// arrayOf returns a numpy array, nil for anything else.
func arrayOf(v pickle.Value) *pickle.Array {
	if array, ok := v.(*pickle.Array); ok && array.Type != nil {
		return array
	}
	return nil
}

// atLeast chooses a class where a value reaches a threshold, and another where it does not. NaN reaches no
// threshold.
type atLeast struct {
	in, out   program.Reg
	threshold float64
	negate    bool // it is the negative of the value that is compared
	yes, no   float64
}

// Run compares row by row.
func (s *atLeast) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		v := row[s.in]
		if s.negate {
			v = -v
		}
		if v >= s.threshold {
			row[s.out] = s.yes
		} else {
			row[s.out] = s.no
		}
	}
}
