package sklearn

// classifierOf returns the compiler of a classifier class, nil for a class that is not understood.
func classifierOf(class string) func(*compiler, *attributes, matrix) classifier {
	switch class {
	case "sklearn.pipeline.Pipeline", "imblearn.pipeline.Pipeline":
		return (*compiler).pipelineClassify
	case "sklearn.linear_model._logistic.LogisticRegression":
		return (*compiler).logisticRegression
	case "sklearn.tree._classes.DecisionTreeClassifier", "sklearn.tree._classes.ExtraTreeClassifier":
		return (*compiler).decisionTree
	case "sklearn.ensemble._forest.RandomForestClassifier", "sklearn.ensemble._forest.ExtraTreesClassifier":
		return (*compiler).randomForest
	case "sklearn.ensemble._gb.GradientBoostingClassifier":
		return (*compiler).gradientBoosting
	case "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier":
		return (*compiler).histGradientBoosting
	case "sklearn.dummy.DummyClassifier":
		return (*compiler).dummyClassifier
	}
	return nil
}
