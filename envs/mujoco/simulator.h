// MuJoCo behind a small face: load a model from text, set a state, step. Only compiled where MuJoCo 2 is installed: the
// third version reads models by other functions, and moves a little differently.
#pragma once
#include <mujoco/mujoco.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

struct Simulator {
  std::unique_ptr<mjModel, void (*)(mjModel*)> model;
  std::unique_ptr<mjData, void (*)(mjData*)> data;

  // Throws std::runtime_error with MuJoCo's words if the text is no valid model.
  explicit Simulator(const std::string& xml)
      : model(load(xml), mj_deleteModel), data(mj_makeData(model.get()), mj_deleteData) {}

  // qpos (nq) and qvel (nv) into the simulator, everything else to its start: the next step depends on nothing older.
  void set(const double* qpos, const double* qvel) {
    mj_resetData(model.get(), data.get());
    std::copy(qpos, qpos + model->nq, data->qpos);
    std::copy(qvel, qvel + model->nv, data->qvel);
  }
  // `repeat` time steps at control u (nu), which the simulator clamps.
  void step(const double* u, int repeat) {
    std::copy(u, u + model->nu, data->ctrl);
    for (int i = 0; i < repeat; ++i) mj_step(model.get(), data.get());
  }

 private:
  // MuJoCo 2 reads files only; its virtual file system (2 MB, hence on the heap) makes the text one.
  static mjModel* load(const std::string& xml) {
    mju_user_warning = [](const char*) {};  // else MuJoCo writes a log file into the working directory
    const std::unique_ptr<mjVFS> files(new mjVFS);
    mj_defaultVFS(files.get());
    mj_makeEmptyFileVFS(files.get(), "model.xml", int(xml.size()));
    std::memcpy(files->filedata[mj_findFileVFS(files.get(), "model.xml")], xml.data(), xml.size());
    char error[1000] = "";
    mjModel* m = mj_loadXML("model.xml", files.get(), error, sizeof error);
    mj_deleteVFS(files.get());
    if (!m) throw std::runtime_error(std::string("MuJoCo: ") + error);
    return m;
  }
};
