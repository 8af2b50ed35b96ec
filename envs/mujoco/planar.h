// The planar tasks without a floor as MuJoCo reads them (MJCF), so that tests can compare Chain with the simulator.
// Written from the published tables, not from the tables in envs/: a slip in either shows.
#pragma once

inline const char* const cartpole_swingup_xml = R"(<mujoco>
  <compiler angle="degree"/>
  <option gravity="0 0 -9.81" integrator="RK4" timestep="0.02"/>
  <default>
    <joint armature="0" damping="1" limited="true"/>
    <geom contype="0" friction="1 0.1 0.1"/>
    <motor ctrllimited="true" ctrlrange="-3 3"/>
  </default>
  <worldbody>
    <geom type="capsule" fromto="3 0 0 -3 0 0" size="0.02"/>
    <body name="cart">
      <joint name="slider" type="slide" axis="1 0 0" range="-2.5 2.5"/>
      <geom type="capsule" fromto="0.1 0 0 -0.1 0 0" size="0.1"/>
      <body name="pole">
        <joint name="hinge" axis="0 1 0" limited="false"/>
        <geom type="capsule" fromto="0 0 0 0.001 0 -0.6" size="0.049"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="slider" gear="100"/>
  </actuator>
</mujoco>)";

inline const char* const inverted_pendulum_xml = R"(<mujoco>
  <compiler angle="degree"/>
  <option gravity="0 0 -9.81" integrator="RK4" timestep="0.02"/>
  <default>
    <joint armature="0" damping="1" limited="true"/>
    <geom contype="0" friction="1 0.1 0.1"/>
    <motor ctrllimited="true" ctrlrange="-3 3"/>
  </default>
  <worldbody>
    <geom type="capsule" fromto="1 0 0 -1 0 0" size="0.02"/>
    <body name="cart">
      <joint name="slider" type="slide" axis="1 0 0" range="-1 1"/>
      <geom type="capsule" fromto="0.1 0 0 -0.1 0 0" size="0.1"/>
      <body name="pole">
        <joint name="hinge" axis="0 1 0" range="-90 90"/>
        <geom type="capsule" fromto="0 0 0 0.001 0 0.6" size="0.049"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="slider" gear="100"/>
  </actuator>
</mujoco>)";

inline const char* const inverted_double_pendulum_xml = R"(<mujoco>
  <compiler angle="degree"/>
  <option gravity="1e-05 0 -9.81" integrator="RK4" timestep="0.01"/>
  <default>
    <joint damping="0.05"/>
    <geom contype="0" friction="1 0.1 0.1"/>
    <motor ctrllimited="true" ctrlrange="-1 1"/>
  </default>
  <worldbody>
    <geom type="plane" pos="0 0 -3" size="40 40 1"/>
    <geom type="capsule" fromto="1 0 0 -1 0 0" size="0.02"/>
    <body name="cart">
      <joint name="slider" type="slide" axis="1 0 0" range="-1 1" margin="0.01" limited="true"/>
      <geom type="capsule" fromto="0.1 0 0 -0.1 0 0" size="0.1"/>
      <body name="pole">
        <joint name="hinge" axis="0 1 0"/>
        <geom type="capsule" fromto="0 0 0 0 0 0.6" size="0.045"/>
        <body name="pole2" pos="0 0 0.6">
          <joint name="hinge2" axis="0 1 0"/>
          <geom type="capsule" fromto="0 0 0 0 0 0.6" size="0.045"/>
          <site name="tip" pos="0 0 0.6"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="slider" gear="500"/>
  </actuator>
</mujoco>)";

inline const char* const swimmer_xml = R"(<mujoco>
  <compiler angle="degree"/>
  <option density="4000" integrator="RK4" timestep="0.01" viscosity="0.1"/>
  <default>
    <joint armature="0.1"/>
    <geom conaffinity="0" condim="1" contype="0"/>
    <motor ctrllimited="true" ctrlrange="-1 1"/>
  </default>
  <worldbody>
    <geom type="plane" pos="0 0 -0.1" size="40 40 1" condim="3"/>
    <body name="torso">
      <joint name="slider1" type="slide" axis="1 0 0"/>
      <joint name="slider2" type="slide" axis="0 1 0"/>
      <joint name="free_body_rot" axis="0 0 1"/>
      <geom type="capsule" fromto="1.5 0 0 0.5 0 0" size="0.1"/>
      <body name="mid" pos="0.5 0 0">
        <joint name="motor1_rot" axis="0 0 1" range="-100 100" limited="true"/>
        <geom type="capsule" fromto="0 0 0 -1 0 0" size="0.1"/>
        <body name="back" pos="-1 0 0">
          <joint name="motor2_rot" axis="0 0 1" range="-100 100" limited="true"/>
          <geom type="capsule" fromto="0 0 0 -1 0 0" size="0.1"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="motor1_rot" gear="150"/>
    <motor joint="motor2_rot" gear="150"/>
  </actuator>
</mujoco>)";

inline const char* const reacher_xml = R"(<mujoco>
  <compiler angle="radian"/>
  <option gravity="0 0 -9.81" integrator="RK4" timestep="0.01"/>
  <default>
    <joint armature="1" damping="1" limited="true"/>
    <geom contype="0" friction="1 0.1 0.1"/>
    <motor ctrllimited="true" ctrlrange="-1 1"/>
  </default>
  <worldbody>
    <geom type="plane" size="40 40 1" conaffinity="0"/>
    <geom type="capsule" fromto="-0.3 -0.3 0.01 0.3 -0.3 0.01" size="0.02" conaffinity="0"/>
    <geom type="capsule" fromto="0.3 -0.3 0.01 0.3 0.3 0.01" size="0.02" conaffinity="0"/>
    <geom type="capsule" fromto="-0.3 0.3 0.01 0.3 0.3 0.01" size="0.02" conaffinity="0"/>
    <geom type="capsule" fromto="-0.3 -0.3 0.01 -0.3 0.3 0.01" size="0.02" conaffinity="0"/>
    <geom type="cylinder" fromto="0 0 0 0 0 0.02" size="0.011" conaffinity="0"/>
    <body name="body0" pos="0 0 0.01">
      <joint name="joint0" axis="0 0 1" limited="false"/>
      <geom type="capsule" fromto="0 0 0 0.1 0 0" size="0.01"/>
      <body name="body1" pos="0.1 0 0">
        <joint name="joint1" axis="0 0 1" range="-3 3"/>
        <geom type="capsule" fromto="0 0 0 0.1 0 0" size="0.01"/>
        <body name="fingertip" pos="0.11 0 0">
          <geom size="0.01"/>
        </body>
      </body>
    </body>
    <body name="target" pos="0.1 -0.1 0.01">
      <joint name="target_x" type="slide" axis="1 0 0" range="-0.27 0.27" ref="0.1" damping="0" armature="0"/>
      <joint name="target_y" type="slide" axis="0 1 0" range="-0.27 0.27" ref="-0.1" damping="0" armature="0"/>
      <geom size="0.009" conaffinity="0"/>
    </body>
  </worldbody>
  <actuator>
    <motor joint="joint0" gear="200"/>
    <motor joint="joint1" gear="200"/>
  </actuator>
</mujoco>)";
