package sklearn

func (c *compiler) decisionTree(a *attributes, in matrix) (model classifier) {
	a.err = unsupportedClass(a, "a classifier")
	return
}
func (c *compiler) randomForest(a *attributes, in matrix) (model classifier) {
	a.err = unsupportedClass(a, "a classifier")
	return
}
func (c *compiler) gradientBoosting(a *attributes, in matrix) (model classifier) {
	a.err = unsupportedClass(a, "a classifier")
	return
}
