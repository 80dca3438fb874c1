package sklearn

// searched is the model that a search over parameters has fitted last, on all rows. The search itself adds
// nothing. Without refit a search knows the best parameters and has no model. cv_results_ and best_params_ may be
// large and are left unread.
func (a *attributes) searched() any {
	if a.has("refit") && !a.has("best_estimator_") && a.fitted() {
		a.refuse("unfitted", "refit", show(a.optional("refit")), "the search kept no model; fit it with refit=True, or save its best estimator")
	}
	return a.required("best_estimator_")
}

// searchClassify compiles the best estimator of GridSearchCV and its kin.
//
// It keeps the name of the best estimator's steps: a search adds nothing to the path in messages.
func (c *compiler) searchClassify(a *attributes, in matrix) (model classifier) {
	best := a.searched()
	if a.err == nil {
		model, a.err = c.classify(best, in)
	}
	return model
}

// searchTransform is the same for a search over transformers.
func (c *compiler) searchTransform(a *attributes, in matrix) (out matrix) {
	best := a.searched()
	if a.err == nil {
		out, a.err = c.transform(best, in)
	}
	return out
}

// recursiveClassify compiles RFE and RFECV where they stand at the end: the inner model, fitted on the columns
// kept. In a pipeline's middle the same classes are transformers, and then the inner model serves the choice of
// columns alone.
func (c *compiler) recursiveClassify(a *attributes, in matrix) (model classifier) {
	kept := c.recursive(a, in)
	inner := a.required("estimator_")
	if a.err == nil {
		c.within("estimator_", func() { model, a.err = c.classify(inner, kept) })
	}
	return model
}
