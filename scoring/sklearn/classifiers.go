package sklearn

// classifierOf returns the compiler of a classifier class, nil for a class that is not understood.
//
// The names are matched as those of [transformerOf] are. Estimators that are both, pipelines and searches for
// example, are on both lists: the place in which one stands decides what it is asked for. A class that shares a
// compiler with another differs from it only in how it was fitted.
func classifierOf(class string) func(*compiler, *attributes, matrix) classifier {
	switch class {
	case "sklearn.pipeline.Pipeline", "imblearn.pipeline.Pipeline", "sklearn2pmml.pipeline.PMMLPipeline":
		return (*compiler).pipelineClassify
	case "sklearn.feature_selection._rfe.RFE", "sklearn.feature_selection._rfe.RFECV":
		return (*compiler).recursiveClassify
	case "sklearn.linear_model._logistic.LogisticRegression", "sklearn.linear_model._logistic.LogisticRegressionCV":
		return (*compiler).logisticRegression
	// Random splits and best ones leave the same kind of tree, here and in the forests.
	case "sklearn.tree._classes.DecisionTreeClassifier", "sklearn.tree._classes.ExtraTreeClassifier":
		return (*compiler).decisionTree
	case "sklearn.ensemble._forest.RandomForestClassifier", "sklearn.ensemble._forest.ExtraTreesClassifier":
		return (*compiler).randomForest
	case "sklearn.ensemble._gb.GradientBoostingClassifier":
		return (*compiler).gradientBoosting
	case "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier":
		return (*compiler).histGradientBoosting
	case "sklearn.linear_model._stochastic_gradient.SGDClassifier":
		return (*compiler).stochasticGradient
	// Their outputs are an affine function of the row and its sign; the losses that they minimised do not show
	// any more.
	case "sklearn.svm._classes.LinearSVC", "sklearn.linear_model._perceptron.Perceptron",
		"sklearn.linear_model._ridge.RidgeClassifier", "sklearn.linear_model._ridge.RidgeClassifierCV",
		"sklearn.linear_model._passive_aggressive.PassiveAggressiveClassifier":
		return (*compiler).linearModel
	case "sklearn.discriminant_analysis.LinearDiscriminantAnalysis":
		return (*compiler).discriminant
	case "sklearn.naive_bayes.GaussianNB":
		return (*compiler).gaussianNB
	case "sklearn.naive_bayes.BernoulliNB":
		return (*compiler).bernoulliNB
	case "sklearn.neural_network._multilayer_perceptron.MLPClassifier":
		return (*compiler).multilayerPerceptron
	case "sklearn.calibration.CalibratedClassifierCV":
		return (*compiler).calibratedClassifier
	case "sklearn.ensemble._voting.VotingClassifier":
		return (*compiler).votingClassifier
	case "sklearn.ensemble._stacking.StackingClassifier":
		return (*compiler).stackingClassifier
	case "sklearn.ensemble._bagging.BaggingClassifier":
		return (*compiler).baggingClassifier
	case "sklearn.ensemble._weight_boosting.AdaBoostClassifier":
		return (*compiler).adaBoost
	case "sklearn.ensemble._iforest.IsolationForest":
		return (*compiler).isolationForest
	case "sklearn.frozen._frozen.FrozenEstimator":
		return (*compiler).frozenClassify
	case "sklearn.model_selection._classification_threshold.FixedThresholdClassifier":
		return (*compiler).fixedThreshold
	case "sklearn.model_selection._classification_threshold.TunedThresholdClassifierCV":
		return (*compiler).tunedThreshold
	// What these wrap is a model in the library's own format, which package booster reads.
	case "xgboost.sklearn.XGBClassifier", "xgboost.sklearn.XGBRFClassifier":
		return (*compiler).xgbClassifier
	case "lightgbm.sklearn.LGBMClassifier":
		return (*compiler).lgbmClassifier
	case "sklearn.svm._classes.SVC", "sklearn.svm._classes.NuSVC":
		return (*compiler).supportVectors
	case "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis":
		return (*compiler).quadraticDiscriminant
	case "sklearn.neighbors._classification.KNeighborsClassifier":
		return (*compiler).nearestNeighbors
	case "sklearn.dummy.DummyClassifier":
		return (*compiler).dummyClassifier
	}
	if isSearch(class) {
		return (*compiler).searchClassify
	}
	return nil
}
