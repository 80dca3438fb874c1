package sklearn

import (
	"fmt"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// finish chooses the output and the positive class, and closes the program.
//
// An IsolationForest looks for outliers, so that its positive class is -1, the first; everywhere else the last
// class is the one that is looked for unless the caller says otherwise.
func (c *compiler) finish(root pickle.Value, model classifier, spec program.Spec) (*program.Program, error) {
	a := attributesOf(root.(*pickle.Object))
	positive := a.positiveClass(model.classes, spec.Positive)
	// Only an IsolationForest is marked so.
	if spec.Positive == nil && model.outlier {
		positive = 0
	}
	output := spec.Output
	if output == "" {
		output = firstOutput(model)
	}
	if a.err != nil {
		return nil, a.err
	}
	score := c.score(a, model, output, positive)
	if a.err != nil {
		return nil, a.err
	}
	p, err := c.b.Finish(program.Outputs{
		Score: score, Predicted: model.predicted, Explanation: model.explanation(output, positive),
	})
	if err != nil {
		return nil, err
	}
	p.Classes, p.Positive, p.Output = model.classes, positive, output
	return p, nil
}

// firstOutput is the default: probabilities where there are any. decision_function comes before predict, since a
// label alone can hardly be held against thresholds; score_samples is never chosen, for what has it has a
// decision_function too.
func firstOutput(model classifier) string {
	switch {
	case model.probability != nil:
		return "predict_proba"
	case model.decision != nil:
		return "decision_function"
	}
	return "predict"
}

// score is the register of the output that was asked for. A decision value of two classes is that of the second
// and is not turned round for the first: the metadata of a bundle say by fraud_is what a low one means.
func (c *compiler) score(a *attributes, model classifier, output string, positive int) program.Reg {
	switch output {
	case "predict_proba":
		if model.probability == nil {
			a.refuse("no-probability", output, "", "the model has no probabilities; ask for decision_function or calibrate it")
			return 0
		}
		return model.probability[positive]
	case "decision_function":
		if model.decision == nil {
			a.refuse("unsupported-value", "output", output, "the model has no decision_function; ask for predict_proba")
			return 0
		}
		if len(model.decision) == 1 {
			return model.decision[0]
		}
		return model.decision[positive]
	case "score_samples":
		if model.samples == nil {
			a.refuse("unsupported-value", "output", output, "the model has no score_samples; ask for predict_proba or decision_function")
			return 0
		}
		return model.samples[0]
	case "predict":
		return c.predictedLabel(a, model)
	}
	a.refuse("unsupported-value", "output", fmt.Sprintf("%q", output), "predict_proba, decision_function, score_samples and predict are known")
	return 0
}

// predictedLabel makes the label itself the score, where labels are numbers. A stacking asks for it too, where a
// member knows nothing but labels.
func (c *compiler) predictedLabel(a *attributes, model classifier) program.Reg {
	s := &label{predicted: model.predicted, out: c.b.New(-1)}
	for _, class := range model.classes {
		if class.Type != program.Number && class.Type != program.Bool {
			a.refuse("unsupported-value", "classes_", class.String(), "the output predict is a score only where class labels are numbers")
			return 0
		}
		s.labels = append(s.labels, class.Num)
	}
	c.b.Add(c.stepName(a), s)
	return s.out
}

// positiveClass finds the positive class; without a wish it is the last. Like Python, true and 1 are equal.
// Metadata in JSON cannot tell 1 from 1.0 or a numpy integer, so that numbers compare by value and texts only
// with texts.
func (a *attributes) positiveClass(classes []program.Constant, wish *program.Constant) int {
	if wish == nil {
		return len(classes) - 1
	}
	for i, c := range classes {
		if c == *wish || isNumber(c) && isNumber(*wish) && c.Num == wish.Num {
			return i
		}
	}
	a.refuse("schema-mismatch", "classes_", fmt.Sprint(classes), fmt.Sprintf("the positive class %v is none of them", *wish))
	return 0
}

// isNumber tells constants that Python compares as numbers.
func isNumber(c program.Constant) bool { return c.Type == program.Number || c.Type == program.Bool }
