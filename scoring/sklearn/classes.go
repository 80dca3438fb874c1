package sklearn

// transformerOf returns the compiler of a transformer class, nil for a class that is not understood.
func transformerOf(class string) func(*compiler, *attributes, matrix) matrix {
	switch class {
	case "sklearn.pipeline.Pipeline", "imblearn.pipeline.Pipeline":
		return (*compiler).pipelineTransform
	case "sklearn.pipeline.FeatureUnion":
		return (*compiler).featureUnion
	case "sklearn.compose._column_transformer.ColumnTransformer":
		return (*compiler).columnTransformer
	case "sklearn.preprocessing._data.StandardScaler":
		return (*compiler).standardScaler
	case "sklearn.preprocessing._data.MinMaxScaler":
		return (*compiler).minMaxScaler
	case "sklearn.preprocessing._function_transformer.FunctionTransformer":
		return (*compiler).functionTransformer
	case "sklearn.preprocessing._encoders.OneHotEncoder":
		return (*compiler).oneHotEncoder
	case "sklearn.preprocessing._encoders.OrdinalEncoder":
		return (*compiler).ordinalEncoder
	case "sklearn.impute._base.SimpleImputer":
		return (*compiler).simpleImputer
	}
	return nil
}

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
	case "sklearn.dummy.DummyClassifier":
		return (*compiler).dummyClassifier
	}
	return nil
}
