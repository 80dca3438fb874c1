package sklearn

import (
	"fmt"
	"slices"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// linearModel compiles X·coef_ᵀ + intercept_ and the prediction that goes with it: the sign of one decision value, the
// largest of several. It is all of a LinearSVC, a RidgeClassifier, a Perceptron and a PassiveAggressiveClassifier.
//
// They have no predict_proba; whoever asks for it is refused by name and told to calibrate. A row with NaN or an
// infinity raises a ValueError in scikit-learn and is a fault here. How the coefficients were found (loss, penalty,
// solver) does not matter any more.
//
// A perceptron and its kin differ in how they were trained only. coef_ has a row per decision value, or is a
// vector for two classes in some releases; intercept_ a number for each row. average=True of an SGDClassifier has
// left the averaged numbers in the same attributes.
func (c *compiler) linearModel(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.binarizedClasses()
	rows := len(model.classes)
	if rows == 2 {
		rows = 1
	}
	s := &affine{in: in, from: program.SpanOf(in), coef: a.coefficients(rows, len(in)), intercept: a.intercept(rows)}
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	s.out = c.b.Block(rows)
	c.b.CheckFinite(name, in, false)
	c.b.Add(name, s)
	model.decision, model.predicted, model.additive = s.out, c.b.New(-1), s.additive(c.b)
	c.decide(name, &model)
	return model
}

// decide adds the prediction of a linear model. A decision value of zero is the first class, since scikit-learn
// asks whether it is above zero.
func (c *compiler) decide(name string, model *classifier) {
	if len(model.decision) == 1 {
		c.b.Add(name, &sign{raw: model.decision[0], out: model.predicted})
		return
	}
	c.b.Add(name, &argmax{model.decision, model.predicted})
}

// binarizedClasses reads the class labels; a RidgeClassifier keeps them in its LabelBinarizer only. The
// binarizer's classes_ is what the property of the same name reads in Python.
func (a *attributes) binarizedClasses() []program.Constant {
	o, ok := a.optional("_label_binarizer").(*pickle.Object)
	if a.has("classes_") || !ok {
		return a.classes()
	}
	inner := attributesOf(o)
	classes := inner.classes()
	a.err = inner.err
	return classes
}

// coefficients reads coef_, which a model of one row may keep as a vector: RidgeClassifier does today.
func (a *attributes) coefficients(rows, columns int) []float64 {
	if array, ok := a.optional("coef_").(*pickle.Array); ok && rows == 1 && len(array.Shape) == 1 {
		return a.vector("coef_", columns)
	}
	return a.matrix("coef_", rows, columns)
}

// stochasticGradient compiles an SGDClassifier: a linear model whose loss decides whether it knows probabilities. The
// log loss gives the sigmoid, modified_huber gives (clip(d, -1, 1) + 1) / 2 after Zhang (JMLR 2002, appendix B);
// classes beyond two are normalised.
//
// The log loss was called "log" before 1.1 and the squared one "squared_loss" before 1.0. With the other losses
// an SGDClassifier has no predict_proba. The probabilities of modified_huber are exactly 0 or 1 beyond a margin
// of one.
func (c *compiler) stochasticGradient(a *attributes, in matrix) (model classifier) {
	loss := a.text("loss", "hinge")
	model = c.linearModel(a, in)
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	switch loss {
	case "log", "log_loss":
		c.logistic(name, &model)
	case "modified_huber":
		model.probability = c.b.Block(len(model.classes))
		c.b.Add(name, &clippedLine{model.decision, model.probability})
	case "hinge", "squared_hinge", "perceptron", "squared_error", "squared_loss", "huber", "epsilon_insensitive", "squared_epsilon_insensitive":
	default:
		a.unknown("loss", loss)
	}
	return model
}

// logistic adds the probabilities of independent sigmoids, one per class, divided by their sum: what scikit-learn
// calls one versus rest. Its two classes have 1/(1+exp(-d)), whatever the model was fitted with.
func (c *compiler) logistic(name string, model *classifier) {
	model.probability = c.b.Block(len(model.classes))
	if len(model.decision) == 1 {
		c.b.Add(name, &sigmoid{model.decision[0], model.probability, 1})
		return
	}
	c.b.Add(name, &oneVersusRest{model.decision, model.probability})
}

// clippedLine computes the probabilities of the modified Huber loss.
type clippedLine struct{ raw, out matrix }

// Run divides by the sum where there are more than two classes; if all are zero they share alike. The lone
// decision value gives the second class, and the first what is left, so that both add up to 1 exactly.
func (s *clippedLine) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		if len(s.raw) == 1 {
			p := (clip(row[s.raw[0]], -1, 1) + 1) / 2
			row[s.out[0]], row[s.out[1]] = 1-p, p
			continue
		}
		sum := 0.0
		for k, r := range s.raw {
			p := (clip(row[r], -1, 1) + 1) / 2
			row[s.out[k]] = p
			sum += p
		}
		for _, r := range s.out {
			if sum == 0 {
				row[r] = 1 / float64(len(s.out))
			} else {
				row[r] /= sum
			}
		}
	}
}

// discriminant compiles linear discriminant analysis: a linear model whose probabilities are the sigmoid of two
// classes and the softmax of more. Every solver ends in coef_ and intercept_; the projection that svd and eigen
// leave besides serves transform only. shrinkage, tol and store_covariance leave nothing that predict reads;
// priors_ is part of the intercept.
func (c *compiler) discriminant(a *attributes, in matrix) (model classifier) {
	model = c.linearModel(a, in)
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	model.probability = c.b.Block(len(model.classes))
	if len(model.decision) == 1 {
		c.b.Add(name, &sigmoid{model.decision[0], model.probability, 1})
	} else {
		c.b.Add(name, &softmax{model.decision, model.probability})
	}
	return model
}

// aligned checks that the part of an ensemble tells the classes of the whole, in the same order: by their labels,
// or by their places where the ensemble has encoded them. A member with the same labels in another order cannot
// come from scikit-learn, which sorts them, and would swap the probabilities.
func (a *attributes) aligned(attribute string, classes, part []program.Constant) {
	places := make([]program.Constant, len(classes))
	for i := range places {
		places[i] = program.NumberConstant(float64(i))
	}
	if a.err == nil && !slices.Equal(classes, part) && !slices.Equal(places, part) {
		a.mismatch(attribute, fmt.Sprint(part), fmt.Sprintf("the classes of the model are %v", classes))
	}
}
