/* Complete a photo with an exported SavedModel and TensorFlow's C API.

   complete MODEL OUTPUT_OP PHOTO MASK RESULT.png

   MODEL is the folder of a version (models/faces/1), OUTPUT_OP the name that `saved_model_cli
   show` prints for the output of complete_bytes, without ":0". PHOTO and MASK are JPEG, PNG, GIF or
   BMP files of one size; white is the hole. */

#include <stdio.h>
#include <stdlib.h>
#include <tensorflow/c/c_api.h>

static void check(TF_Status* status, const char* what) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: %s\n", what, TF_Message(status));
  exit(1);
}

static void free_string(void* data, size_t size, void* argument) {
  TF_StringDealloc(data);
  free(data);
}

/* Read a file into a tensor, a batch of one string. */
static TF_Tensor* read_file(const char* path) {
  FILE* file = fopen(path, "rb");
  if (!file) { perror(path); exit(1); }
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  char* bytes = malloc(size > 0 ? size : 1);
  if (fread(bytes, 1, size, file) != (size_t)size) { perror(path); exit(1); }
  fclose(file);
  TF_TString* string = malloc(sizeof *string);
  TF_StringInit(string);
  TF_StringCopy(string, bytes, size);
  free(bytes);
  const int64_t batch = 1;
  return TF_NewTensor(TF_STRING, &batch, 1, string, sizeof *string, free_string, NULL);
}

int main(int count, char** arguments) {
  if (count != 6) {
    fprintf(stderr, "usage: %s MODEL OUTPUT_OP PHOTO MASK RESULT.png\n", arguments[0]);
    return 2;
  }
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session =
      TF_LoadSessionFromSavedModel(options, NULL, arguments[1], tags, 1, graph, NULL, status);
  check(status, arguments[1]);

  TF_Output inputs[] = {{TF_GraphOperationByName(graph, "complete_bytes_image"), 0},
                        {TF_GraphOperationByName(graph, "complete_bytes_mask"), 0}};
  TF_Output output = {TF_GraphOperationByName(graph, arguments[2]), 0};
  if (!inputs[0].oper || !inputs[1].oper || !output.oper) {
    fprintf(stderr, "%s: no signature complete_bytes with the output %s\n", arguments[1], arguments[2]);
    return 1;
  }
  TF_Tensor* files[] = {read_file(arguments[3]), read_file(arguments[4])};
  TF_Tensor* completed = NULL;
  TF_SessionRun(session, NULL, inputs, files, 2, &output, &completed, 1, NULL, 0, NULL, status);
  check(status, arguments[3]);

  const TF_TString* png = TF_TensorData(completed);
  FILE* file = fopen(arguments[5], "wb");
  if (!file || fwrite(TF_StringGetDataPointer(png), 1, TF_StringGetSize(png), file) !=
                   TF_StringGetSize(png) || fclose(file)) {
    perror(arguments[5]);
    return 1;
  }
  TF_DeleteTensor(completed);
  TF_DeleteTensor(files[0]);
  TF_DeleteTensor(files[1]);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
