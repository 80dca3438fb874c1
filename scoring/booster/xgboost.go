package booster

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"fraudstream/scoring/program"
)

// xgboostClass is what pickles call the booster, and what messages call any XGBoost model.
const xgboostClass = "xgboost.core.Booster"

// XGBoost reads a model in JSON or UBJSON, as save_model of 1.6 and later writes it, or as it lies in a pickle,
// where the settings of the library stand beside it.
//
// The raw score of a row is base score + Σ leaf, one per class or one for two classes, added and rounded in
// float32 tree by tree. Rows are cast to float32 and compared as x < condition. Shrinkage is in the leaves. Of
// the parameters of training none is read: the objective and the trees are their result.
func XGBoost(data []byte) (*Model, error) {
	r := &reader{class: xgboostClass}
	learner := xgboostLearner(r, data)
	if r.err != nil {
		return nil, r.err
	}
	m := &Model{class: xgboostClass, single: true, less: true}
	m.learner(r, learner)
	return m, r.err
}

// xgboostLearner finds the learner in a file. A pickle holds {"Config": …, "Model": …}, of which the second is
// the same as a bare file.
func xgboostLearner(r *reader, data []byte) object {
	parse := parseJSON
	switch {
	case bytes.HasPrefix(data, []byte("CONFIG-offset:")), bytes.HasPrefix(data, []byte("binf")):
		r.refuse("unsupported-format", "handle", "the binary format of old", "load it with XGBoost 1.6 or later and save it again")
		return nil
	case Format(data) == "xgboost-ubj":
		parse = parseUBJSON
	}
	v, err := parse(xgboostClass, data)
	if err != nil {
		r.err = err
		return nil
	}
	root, ok := v.(object)
	if !ok {
		r.refuse("corrupt", "document", describe(v), adviceCorrupt)
		return nil
	}
	if model, ok := root["Model"].(object); ok {
		if config, _ := root["Config"].(object); config["learner"] == nil {
			r.refuse("corrupt", "Config", describe(root["Config"]), adviceCorrupt)
		}
		root = model
	}
	return r.object(root, "learner")
}

// learner reads what is around the trees: the number of features and classes, the objective, the names of the
// features where training had any, where the sums start, and the best iteration of a training that was stopped
// early (before 2.0 every training writes one: its last). Its parts are objects of strings for the most part:
// XGBoost writes numbers such as "num_class" as texts. num_class is 0 for two classes.
func (m *Model) learner(r *reader, learner object) {
	params := r.object(learner, "learner_model_param")
	m.Features = r.count(params, "num_feature", 0)
	m.outputs = max(1, r.count(params, "num_class", 0))
	if n := r.count(params, "num_target", 1); n > 1 {
		r.refuse("unsupported-value", "num_target", strconv.Itoa(n), "a model of several targets is not supported; fit one model per target")
	}
	if m.outputs > 1<<12 {
		r.refuse("budget", "num_class", strconv.Itoa(m.outputs), "a model may have at most 4096 classes")
	}
	if m.Features > program.MaxColumns {
		r.refuse("budget", "num_feature", strconv.Itoa(m.Features), fmt.Sprintf("a model may have at most %d columns", program.MaxColumns))
	}
	m.xgboostObjective(r, r.text(r.object(learner, "objective"), "name"))
	m.Names = r.texts(learner, "feature_names")
	if len(m.Names) == 0 {
		m.Names = nil
	} else if len(m.Names) != m.Features {
		r.refuse("model-mismatch", "feature_names", fmt.Sprintf("%d names", len(m.Names)), fmt.Sprintf("the model has %d features", m.Features))
	}
	if r.err != nil {
		return
	}
	m.baseScore(r, r.text(params, "base_score"))
	if attributes, ok := learner["attributes"].(object); ok {
		// The attribute counts from 0. Where it is absent best is 0, which asks for all iterations.
		m.best = r.count(attributes, "best_iteration", -1) + 1
	}
	m.booster(r, r.object(learner, "gradient_booster"))
}

// xgboostObjective takes the objectives whose output is a probability per class. multi:softmax predicts a class,
// but XGBClassifier makes the same probabilities of its raw scores. reg:logistic has the same link as
// binary:logistic and the same output.
func (m *Model) xgboostObjective(r *reader, name string) {
	binary := name == "binary:logistic" || name == "reg:logistic"
	several := name == "multi:softprob" || name == "multi:softmax"
	switch {
	case r.err != nil:
	case binary && m.outputs == 1:
		m.objects = &objective{kind: logistic32}
		m.Classes = numbered(2)
	case several && m.outputs > 1:
		m.objects = &objective{kind: softmax32}
		m.Classes = numbered(m.outputs)
	default:
		r.refuse("unsupported-value", "objective", fmt.Sprintf("%q with %d outputs", name, m.outputs),
			"binary:logistic, multi:softprob and multi:softmax give probabilities; fit with one of them")
	}
}

// baseScore reads where the sums start: one number, or since 3.1 a list in brackets with one per class. The
// logistic objective states it as a probability and adds its log-odds, -log(1/p - 1) in float32. A probability of
// 0 or 1 has infinite log-odds, with which no sum is finite, and is refused.
func (m *Model) baseScore(r *reader, text string) {
	parts := strings.Split(strings.Trim(text, "[]"), ",")
	m.start = make([]float64, m.outputs)
	if len(parts) != 1 && len(parts) != m.outputs {
		r.refuse("model-mismatch", "base_score", describe(text), fmt.Sprintf("the model has %d outputs", m.outputs))
		return
	}
	for i := range m.start {
		v, err := strconv.ParseFloat(strings.TrimSpace(parts[min(i, len(parts)-1)]), 32)
		start := float32(v)
		if m.objects.kind == logistic32 && err == nil {
			start = -float32(math.Log(float64(1/start - 1)))
		}
		if err != nil || start-start != 0 {
			r.refuse("non-finite", "base_score", describe(text), "the start of the sums must be a finite number")
			return
		}
		m.start[i] = float64(start)
	}
}

// booster reads trees, trees with weights, or a linear model. dart drops trees while it trains and leaves a
// weight for each; a linear model has no trees at all.
func (m *Model) booster(r *reader, b object) {
	switch name := r.text(b, "name"); name {
	case "gbtree":
		m.gbtree(r, r.object(b, "model"), nil)
	case "dart":
		weights := r.numbers(b, "weight_drop")
		if inner := r.object(b, "gbtree"); r.err == nil {
			m.gbtree(r, r.object(inner, "model"), weights)
		}
	case "gblinear":
		m.gblinear(r, r.object(b, "model"))
	default:
		r.refuse("unsupported-value", "booster", describe(name), "gbtree, dart and gblinear are known")
	}
}

// gblinear reads the weights of a linear booster: those of the first feature for every output, those of the
// second, and so on, the biases last. They are float32 in XGBoost and written in decimal; none may be NaN or
// infinite, since then every sum would be.
func (m *Model) gblinear(r *reader, model object) {
	m.linear = r.numbers(model, "weights")
	if want := (m.Features + 1) * m.outputs; r.err == nil && len(m.linear) != want {
		r.refuse("model-mismatch", "weights", fmt.Sprintf("%d values", len(m.linear)), fmt.Sprintf("%d are expected", want))
	}
	for i, w := range m.linear {
		if w-w != 0 {
			r.refuse("non-finite", fmt.Sprintf("weights[%d]", i), fmt.Sprint(w), "a weight must be finite")
			return
		}
	}
}
